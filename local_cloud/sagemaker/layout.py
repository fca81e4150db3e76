"""The SageMaker container contract: the folders below /opt/ml, their files, and the SM_* variables.

Facts: "How Amazon SageMaker AI Provides Training Information" in the SageMaker guide, and the variables that
the SageMaker training toolkit sets (aws/sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md).
A job's /opt/ml is a private folder here, so SAGEMAKER_BASE_DIR and the variables name it, and arguments and
variables that begin with /opt/ml/ are mapped into it. A script with /opt/ml written into it finds nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_cloud.sagemaker.requests import ProcessingRequest, TrainingRequest

BASE = "/opt/ml"
HOST = "algo-1"
_OWN = "sagemaker_"


@dataclass(frozen=True, kw_only=True)
class Root:
    """One job's private /opt/ml."""

    path: Path

    def map(self, text: str) -> str:
        """Return a path below /opt/ml as it is here; other text unchanged."""
        if text != BASE and not text.startswith(f"{BASE}/"):
            return text
        return str(self.path.joinpath(*PurePosixPath(text).relative_to(BASE).parts))

    def __truediv__(self, name: str) -> Path:
        """Return a file or folder below it."""
        return self.path / name

    def make(self, *names: str) -> None:
        """Create folders."""
        for name in names:
            (self.path / name).mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the job's environment takes from this machine."""

    path: str
    """Where programs are looked for; begins with this interpreter's folder."""
    libraries: str | None
    """LD_LIBRARY_PATH, which some interpreters need."""
    modules: str
    """The folder in which the project's own packages lie."""
    region: str
    cores: int


@dataclass(frozen=True, kw_only=True)
class ScriptMode:
    """A training script as framework images run it: its name, source, and decoded hyperparameters."""

    entry_point: str
    source_uri: str
    hyperparameters: Mapping[str, Any]
    log_level: int

    @property
    def arguments(self) -> list[str]:
        """The command line that the toolkit makes: `--name value`, sorted by name."""
        return [part for name in sorted(self.hyperparameters) for part in self._option(name)]

    def _option(self, name: str) -> tuple[str, str]:
        value = self.hyperparameters[name]
        text = value if isinstance(value, str) else _plain(value)
        return f"--{name}" if len(name) > 1 else f"-{name}", text


def parse_script_mode(hyperparameters: Mapping[str, str]) -> ScriptMode:
    """Decode the hyperparameters; raises KeyError naming the `sagemaker_*` one that is absent."""
    decoded = {name: _decode(text) for name, text in hyperparameters.items()}
    return ScriptMode(
        entry_point=str(decoded[f"{_OWN}program"]),
        source_uri=str(decoded[f"{_OWN}submit_directory"]),
        hyperparameters={name: value for name, value in decoded.items() if not name.startswith(_OWN)},
        log_level=int(decoded.get(f"{_OWN}container_log_level", 20)),
    )


def build_environment(
    root: Root, machine: Machine, *, name: str, arn: str, given: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of every job: nothing of this process's own environment, no credentials."""
    common = {
        "PATH": machine.path,
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": machine.modules,
        "PYTHONUNBUFFERED": "1",
        # Spinning threads of one job would slow down the others on a machine with few cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "AWS_REGION": machine.region,
        "AWS_DEFAULT_REGION": machine.region,
        "SAGEMAKER_BASE_DIR": str(root.path),
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": arn,
    }
    if machine.libraries is not None:
        common["LD_LIBRARY_PATH"] = machine.libraries
    return {**common, **{key: root.map(value) for key, value in given.items()}}


def build_script_variables(
    root: Root, machine: Machine, request: TrainingRequest, script: ScriptMode
) -> dict[str, str]:
    """Return the SM_* variables of a training script."""
    channels = {channel.name: str(root / f"input/data/{channel.name}") for channel in request.channels}
    values: dict[str, object] = {
        "channels": sorted(channels),
        "current_host": HOST,
        "current_instance_type": request.instance,
        "hosts": [HOST],
        "hps": dict(script.hyperparameters),
        "input_config_dir": str(root / "input/config"),
        "input_data_config": input_data_config(request),
        "input_dir": str(root / "input"),
        "log_level": script.log_level,
        "model_dir": str(root / "model"),
        "module_dir": script.source_uri,
        "module_name": script.entry_point.removesuffix(".py"),
        "network_interface_name": "lo",
        "num_cpus": machine.cores,
        "num_gpus": 0,
        "output_data_dir": str(root / "output/data"),
        "output_dir": str(root / "output"),
        "output_intermediate_dir": str(root / "output/intermediate"),
        "resource_config": resource_config(request.instance),
        "user_args": script.arguments,
        "user_entry_point": script.entry_point,
        **{f"channel_{channel}": path for channel, path in channels.items()},
        **{f"hp_{key}": value for key, value in script.hyperparameters.items()},
    }
    variables = {f"SM_{key.upper()}": _text(value) for key, value in values.items()}
    return {**variables, "SM_TRAINING_ENV": _text(values)}


def input_data_config(request: TrainingRequest) -> dict[str, Any]:
    """Return what `input/config/inputdataconfig.json` says."""
    entry = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    return {channel.name: entry for channel in request.channels}


def resource_config(instance: str) -> dict[str, Any]:
    """Return what `input/config/resourceconfig.json` says."""
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "hosts": [HOST],
        "network_interface_name": "lo",
    }


def write_training_config(root: Root, request: TrainingRequest) -> None:
    """Write the files below `input/config` and make the folders that a container finds."""
    root.make(
        "input/config", "input/data", "model", "output/data", "output/intermediate", "code", "tmp", "home"
    )
    _write_json(root / "input/config/hyperparameters.json", dict(request.hyperparameters))
    _write_json(root / "input/config/inputdataconfig.json", input_data_config(request))
    _write_json(root / "input/config/resourceconfig.json", resource_config(request.instance))


def write_processing_config(root: Root, request: ProcessingRequest, arn: str) -> None:
    """Write the files below `config` and make the folders that a container finds."""
    root.make("config", "output", "processing", "tmp", "home")
    for output in request.outputs:
        Path(root.map(output.local_path)).mkdir(parents=True, exist_ok=True)
    job = {
        "ProcessingJobName": request.name,
        "ProcessingJobArn": arn,
        "Environment": dict(request.environment),
    }
    arguments = {"ImageUri": request.image, "ContainerArguments": list(request.arguments)}
    _write_json(root / "config/processingjobconfig.json", {**job, "AppSpecification": arguments})
    _write_json(root / "config/resourceconfig.json", {"current_host": HOST, "hosts": [HOST]})


def _decode(text: str) -> Any:  # noqa: ANN401 - a hyperparameter may be any JSON value
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: object) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _text(value: object) -> str:
    """A value as the toolkit puts it into a variable."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
