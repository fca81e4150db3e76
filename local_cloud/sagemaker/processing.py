"""A processing job: one of the project's own programs in `containers/`, run as its image would run it.

AWS gives only a general FailureReason for a program that exits badly; here it holds the program's last words.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local_cloud.sagemaker import images, layout
from local_cloud.sagemaker.errors import algorithm_error
from local_cloud.sagemaker.failure import describe_exit, last_words, read_tail
from local_cloud.sagemaker.jobs import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.sagemaker.layout import Machine, Root
    from local_cloud.sagemaker.requests import ProcessingRequest
    from local_cloud.sagemaker.storage import Storage

_MAX_MESSAGE_BYTES = 1024
"""The longest ExitMessage (SageMaker API reference, DescribeProcessingJob)."""


class ProcessingWork:
    """One processing job's folders, program and results."""

    def __init__(
        self,
        request: ProcessingRequest,
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

    def prepare(self, interrupted: Callable[[], bool]) -> Command:
        """Download the inputs and return the image's program with the request's arguments."""
        module = images.program(self._request.image)
        storage = self._storage(interrupted)
        layout.write_processing_config(self._root, self._request, self._arn)
        for item in self._request.inputs:
            storage.download(item.source, Path(self._root.map(item.local_path)))
        arguments = [self._root.map(argument) for argument in self._request.arguments]
        env = layout.build_environment(
            self._root,
            self._machine,
            name=self._request.name,
            arn=self._arn,
            given=self._request.environment,
        )
        return Command(argv=(sys.executable, "-m", module, *arguments), cwd=self._root.path, env=env)

    def finish(self, code: int) -> Mapping[str, object]:
        """Upload the outputs and return the exit message."""
        message = self._exit_message()
        if code != 0:
            said = message or last_words(read_tail(self.log))
            failure = f"{describe_exit(code)}: {said}"
            raise algorithm_error(failure, message)
        self._upload()
        return {"ExitMessage": message} if message else {}

    def salvage(self) -> Mapping[str, object]:
        """A stopped job uploads nothing: outputs are for the end of the job."""
        return {}

    def clean(self) -> None:
        """Remove the downloaded inputs; outputs stay for a look."""
        for item in self._request.inputs:
            shutil.rmtree(self._root.map(item.local_path), ignore_errors=True)

    def _upload(self) -> None:
        storage = self._storage(lambda: False)
        for output in self._request.outputs:
            storage.upload(Path(self._root.map(output.local_path)), output.uri)

    def _exit_message(self) -> str:
        path = self._root / "output/message"
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MAX_MESSAGE_BYTES).decode("utf-8", errors="replace").strip()
