"""A model's `config.pbtxt`, parsed into the part of Triton's configuration that the engine honours.

https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import FallbackError, refuse
from .textproto import Message, Scalar, parse_text

TYPES: Mapping[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
KNOWN_FIELDS = {
    "name",
    "backend",
    "platform",
    "max_batch_size",
    "input",
    "output",
    "instance_group",
    "ensemble_scheduling",
    "parameters",
}
KNOWN_TENSOR_FIELDS = {"name", "data_type", "dims"}
KNOWN_STEP_FIELDS = {"model_name", "model_version", "input_map", "output_map"}


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output; -1 in `dims` stands for any length."""

    name: str
    datatype: str
    dims: tuple[int, ...]

    def check(self, array: npt.NDArray[np.generic]) -> None:
        """Refuse an array of another type or shape, as Triton does."""
        if array.dtype != np.dtype(TYPES[self.datatype]):
            message = f"tensor {self.name!r} is {array.dtype}, the model's configuration says {self.datatype}"
            raise FallbackError(message)
        fits = len(array.shape) == len(self.dims) and all(
            wanted in (-1, found) for wanted, found in zip(self.dims, array.shape, strict=True)
        )
        if not fits:
            shape, dims = list(array.shape), list(self.dims)
            message = f"tensor {self.name!r} has shape {shape}, the model's configuration says {dims}"
            raise FallbackError(message)


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One step of an ensemble: the model's tensor names against the ensemble's."""

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model; `steps` is empty unless it is an ensemble."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[StepSpec, ...]
    parameters: Mapping[str, str]


def parse_config(text: str, name: str) -> ModelConfig:
    """Read `config.pbtxt` of the folder `name`; FallbackError for what is wrong or not supported."""
    message = parse_text(text)
    _refuse_unknown(message, KNOWN_FIELDS, "the configuration field")
    if _text(message, "name") not in ("", name):
        reason = f"config.pbtxt names the model {_text(message, 'name')!r}, its folder {name!r}"
        raise FallbackError(reason)
    _check_supported(message)
    return ModelConfig(
        name=name,
        inputs=tuple(_parse_tensor(each) for each in _messages(message, "input")),
        outputs=tuple(_parse_tensor(each) for each in _messages(message, "output")),
        steps=_parse_steps(message),
        parameters=_parse_parameters(message),
    )


def _check_supported(message: Message) -> None:
    backend, platform = _text(message, "backend"), _text(message, "platform")
    if platform not in ("", "ensemble"):
        refuse(f"platform {platform!r}")
    if not platform and backend != "python":
        refuse(f"backend {backend!r}")
    if any(size != 0 for size in message.get("max_batch_size", [])):
        refuse("max_batch_size above 0")
    for group in _messages(message, "instance_group"):
        if group.get("count", [1]) != [1]:
            refuse("more than one instance of a model")


def _parse_tensor(message: Message) -> TensorSpec:
    _refuse_unknown(message, KNOWN_TENSOR_FIELDS, "the tensor field")
    datatype = _text(message, "data_type").removeprefix("TYPE_")
    if datatype not in TYPES:
        refuse(f"tensors of type {datatype or 'unknown'}")
    dims = tuple(size for size in message.get("dims", []) if isinstance(size, int))
    return TensorSpec(name=_text(message, "name"), datatype=datatype, dims=dims)


def _parse_steps(message: Message) -> tuple[StepSpec, ...]:
    schedules = _messages(message, "ensemble_scheduling")
    steps = [step for schedule in schedules for step in _messages(schedule, "step")]
    if bool(steps) != (_text(message, "platform") == "ensemble"):
        reason = "a model has steps under ensemble_scheduling exactly if its platform is 'ensemble'"
        raise FallbackError(reason)
    return tuple(_parse_step(step) for step in steps)


def _parse_step(message: Message) -> StepSpec:
    _refuse_unknown(message, KNOWN_STEP_FIELDS, "the ensemble step's field")
    if message.get("model_version", [-1]) not in ([-1], [1]):
        refuse("an ensemble step with a model_version other than -1 or 1")
    return StepSpec(
        model=_text(message, "model_name"),
        inputs=_parse_map(message, "input_map"),
        outputs=_parse_map(message, "output_map"),
    )


def _parse_map(message: Message, field: str) -> dict[str, str]:
    return {_text(entry, "key"): _text(entry, "value") for entry in _messages(message, field)}


def _parse_parameters(message: Message) -> dict[str, str]:
    return {
        _text(entry, "key"): _text(value, "string_value")
        for entry in _messages(message, "parameters")
        for value in _messages(entry, "value")
    }


def _messages(message: Message, field: str) -> list[Message]:
    values = message.get(field, [])
    if not all(isinstance(value, dict) for value in values):
        reason = f"{field} must be written with braces"
        raise FallbackError(reason)
    return [value for value in values if isinstance(value, dict)]


def _text(message: Message, field: str) -> str:
    values: list[Scalar | Message] = message.get(field, [""])
    return str(values[-1])


def _refuse_unknown(message: Message, known: set[str], what: str) -> None:
    unknown = sorted(set(message) - known)
    if unknown:
        refuse(f"{what} {', '.join(unknown)}")
