"""Running models: a python model's `model.py`, and ensembles of models."""

import importlib.util
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .backend import InferenceRequest, Tensor, render_model_config
from .config import ModelConfig, StepSpec, TensorSpec
from .errors import FallbackError

Tensors = Mapping[str, npt.NDArray[np.generic]]
VERSION = "1"


class Model(Protocol):
    """A loaded model."""

    @property
    def config(self) -> ModelConfig:
        """What it takes and gives."""

    def run(self, inputs: Tensors) -> Tensors:
        """Answer one request; FallbackError says why it cannot."""

    def close(self) -> None:
        """Release it, after the request that it is answering."""


@dataclass(frozen=True, kw_only=True)
class PythonModel:
    """One instance of a `TritonPythonModel`; requests wait for each other, as with one Triton instance."""

    config: ModelConfig
    instance: Any
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, inputs: Tensors) -> Tensors:
        """Call `execute` with one request."""
        check_tensors(self.config.inputs, inputs, "input")
        request = InferenceRequest(
            [Tensor(name, array) for name, array in inputs.items()],
            [spec.name for spec in self.config.outputs],
        )
        with self.lock:
            responses = _guard(self.config.name, lambda: self.instance.execute([request]))
        outputs = _parse_response(self.config.name, responses)
        check_tensors(self.config.outputs, outputs, "output")
        return outputs

    def close(self) -> None:
        """Call `finalize` where the model has it."""
        with self.lock:
            finalize = getattr(self.instance, "finalize", None)
            if finalize is not None:
                _guard(self.config.name, finalize)


@dataclass(frozen=True, kw_only=True)
class EnsembleModel:
    """Models wired by tensor names; `models` are those that were in service when the request came."""

    config: ModelConfig
    models: Mapping[str, Model]

    def run(self, inputs: Tensors) -> Tensors:
        """Run each step as soon as its inputs are there."""
        check_tensors(self.config.inputs, inputs, "input")
        known = dict(inputs)
        waiting = list(self.config.steps)
        while waiting:
            ready = [step for step in waiting if set(step.inputs.values()) <= set(known)]
            if not ready:
                message = f"ensemble {self.config.name!r}: nothing gives the inputs of {waiting[0].model!r}"
                raise FallbackError(message)
            for step in ready:
                known.update(self._run_step(step, known))
                waiting.remove(step)
        outputs = {spec.name: known[spec.name] for spec in self.config.outputs if spec.name in known}
        check_tensors(self.config.outputs, outputs, "output")
        return outputs

    def _run_step(self, step: StepSpec, known: Tensors) -> Tensors:
        if step.model not in self.models:
            message = f"ensemble {self.config.name!r}: its model {step.model!r} is not loaded"
            raise FallbackError(message)
        outputs = self.models[step.model].run({own: known[shared] for own, shared in step.inputs.items()})
        missing = sorted(set(step.outputs) - set(outputs))
        if missing:
            message = f"model {step.model!r} gives no tensor {missing[0]!r}, which {self.config.name!r} maps"
            raise FallbackError(message)
        return {shared: outputs[own] for own, shared in step.outputs.items()}

    def close(self) -> None:
        """Nothing to release: the models belong to the repository."""


def load_python_model(config: ModelConfig, folder: Path) -> PythonModel:
    """Run `1/model.py` of the model's folder and initialize it."""
    module = _load_module(config.name, folder / VERSION / "model.py")
    arguments = {
        "model_config": render_model_config(config),
        "model_instance_kind": "CPU",
        "model_instance_name": f"{config.name}_0_0",
        "model_instance_device_id": "0",
        "model_repository": str(folder),
        "model_version": VERSION,
        "model_name": config.name,
    }
    instance = _guard(config.name, lambda: module.TritonPythonModel())  # noqa: PLW0108 - the lookup may fail too
    initialize = getattr(instance, "initialize", None)
    if initialize is not None:
        _guard(config.name, lambda: initialize(arguments))
    return PythonModel(config=config, instance=instance)


def _load_module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"model_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        message = f"model {name!r} has no {VERSION}/model.py"
        raise FallbackError(message)
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    _guard(name, lambda: loader.exec_module(module))
    return module


def _guard(name: str, call: Any) -> Any:  # noqa: ANN401 - a model's own code gives anything
    try:
        return call()
    except FallbackError:
        raise
    except (Exception, SystemExit) as error:  # a model is foreign code; it must not end the engine
        message = f"model {name!r}: {type(error).__name__}: {error}"
        raise FallbackError(message) from error


def _parse_response(name: str, responses: Any) -> Tensors:  # noqa: ANN401 - a model's own code gives anything
    if not isinstance(responses, list) or len(responses) != 1:
        message = f"model {name!r} must give one response for one request"
        raise FallbackError(message)
    if responses[0].has_error():
        message = f"model {name!r}: {responses[0].error().message()}"
        raise FallbackError(message)
    return {tensor.name(): tensor.as_numpy() for tensor in responses[0].output_tensors()}


def check_tensors(specs: tuple[TensorSpec, ...], tensors: Tensors, what: str) -> None:
    """Refuse tensors that are not exactly those of the configuration."""
    wanted = {spec.name: spec for spec in specs}
    if set(wanted) != set(tensors):
        message = f"expected the {what} tensors {sorted(wanted)}, got {sorted(tensors)}"
        raise FallbackError(message)
    for name, spec in wanted.items():
        spec.check(tensors[name])
