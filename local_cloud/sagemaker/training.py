"""A training job: a framework image's script mode, carried out in this environment's Python."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from moto.core.utils import utcnow

from local_cloud.sagemaker import layout
from local_cloud.sagemaker.archives import build_archive, write_source
from local_cloud.sagemaker.errors import algorithm_error, client_error
from local_cloud.sagemaker.failure import read_tail, render_script_error
from local_cloud.sagemaker.images import repository
from local_cloud.sagemaker.jobs import Command
from local_cloud.sagemaker.metrics import parse_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.sagemaker.layout import Machine, Root, ScriptMode
    from local_cloud.sagemaker.requests import TrainingRequest
    from local_cloud.sagemaker.storage import Storage

SCRIPT_MODE_REPOSITORIES = ("sagemaker-scikit-learn", "pytorch-training", "tensorflow-training")
"""Repositories of the framework images whose script mode is carried out here, whatever their version."""
_MAX_FAILURE_BYTES = 1024


class TrainingWork:
    """One training job's folders, program and results."""

    def __init__(
        self,
        request: TrainingRequest,
        *,
        arn: str,
        root: Root,
        machine: Machine,
        log: Path,
        storage: Callable[[Callable[[], bool]], Storage],
    ) -> None:
        self.max_seconds = request.max_seconds
        self.log = log
        self._request = request
        self._arn = arn
        self._root = root
        self._machine = machine
        self._storage = storage
        self._command: tuple[str, ...] = ()

    def prepare(self, interrupted: Callable[[], bool]) -> Command:
        """Download source and channels, check what the script needs, and return its command."""
        script = self._script_mode()
        storage = self._storage(interrupted)
        layout.write_training_config(self._root, self._request)
        write_source(storage.open(script.source_uri), self._root / "code")
        self._check_source(script)
        for channel in self._request.channels:
            storage.download(channel.source, self._root / f"input/data/{channel.name}")
        arguments = [self._root.map(argument) for argument in script.arguments]
        self._command = ("python", script.entry_point, *arguments)
        argv = (sys.executable, script.entry_point, *arguments)
        return Command(argv=argv, cwd=self._root / "code", env=self._environment(script))

    def finish(self, code: int) -> Mapping[str, object]:
        """Upload the model and return where it lies and the figures of the log."""
        if code != 0:
            raise self._failure(code)
        return {**self._upload(), "FinalMetricDataList": self._figures()}

    def salvage(self) -> Mapping[str, object]:
        """Upload what a stopped script has saved, as SageMaker does."""
        return {**self._upload(), "FinalMetricDataList": self._figures()}

    def clean(self) -> None:
        """Remove the downloaded data; source, model and output stay for a look."""
        shutil.rmtree(self._root / "input/data", ignore_errors=True)

    def _script_mode(self) -> ScriptMode:
        name = repository(self._request.image)
        if name not in SCRIPT_MODE_REPOSITORIES:
            message = (
                f"image {self._request.image} cannot run here: without containers only the script mode of "
                f"{', '.join(SCRIPT_MODE_REPOSITORIES)} is carried out; train with `script` and `framework`"
            )
            raise client_error(message)
        try:
            return layout.parse_script_mode(self._request.hyperparameters)
        except KeyError as error:
            message = f"hyperparameter {error} is missing: script mode needs it to find the script"
            raise client_error(message) from error

    def _check_source(self, script: ScriptMode) -> None:
        code = self._root / "code"
        entry = Path(script.entry_point)
        if entry.is_absolute() or ".." in entry.parts or not (code / entry).is_file():
            message = (
                f"sagemaker_program {script.entry_point!r} is not in the source archive {script.source_uri}"
            )
            raise client_error(message)
        requirements = code / "requirements.txt"
        if requirements.is_file():
            from local_cloud.sagemaker.requirements import check_requirements, installed_version

            text = requirements.read_text(encoding="utf-8", errors="replace")
            failure = check_requirements(text, installed_version)
            if failure is not None:
                raise failure

    def _environment(self, script: ScriptMode) -> dict[str, str]:
        common = layout.build_environment(
            self._root,
            self._machine,
            name=self._request.name,
            arn=self._arn,
            given=self._request.environment,
        )
        modules = f"{self._root / 'code'}:{common['PYTHONPATH']}"
        variables = layout.build_script_variables(self._root, self._machine, self._request, script)
        return {**common, "PYTHONPATH": modules, **variables}

    def _failure(self, code: int) -> Exception:
        written = self._root / "output/failure"
        if written.is_file():
            with written.open("rb") as file:
                return algorithm_error(
                    file.read(_MAX_FAILURE_BYTES).decode("utf-8", errors="replace").strip()
                )
        shown = [shlex.quote(part) for part in self._command]
        return render_script_error(code, read_tail(self.log), shown)

    def _upload(self) -> dict[str, object]:
        storage = self._storage(lambda: False)
        folder = f"{self._request.output_uri.rstrip('/')}/{self._request.name}/output"
        for name, path in (("output", self._root / "output/data"), ("model", self._root / "model")):
            archive = build_archive(path)
            if archive is not None:
                storage.put(f"{folder}/{name}.tar.gz", archive)
        return {"ModelArtifacts": {"S3ModelArtifacts": f"{folder}/model.tar.gz"}}

    def _figures(self) -> list[dict[str, object]]:
        if not self.log.is_file():
            return []
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            values = parse_metrics(self._request.metrics, lines)
        now = utcnow()
        return [{"MetricName": name, "Value": value, "Timestamp": now} for name, value in values.items()]
