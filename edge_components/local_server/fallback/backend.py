"""The module `triton_python_backend_utils`, as far as a `model.py` without Triton can have it.

`install_backend` puts it under that name; a name that Triton has and this module lacks is refused loudly.
https://github.com/triton-inference-server/python_backend#usage
"""

import json
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from .config import ModelConfig, TensorSpec
from .errors import refuse

MODULE = "triton_python_backend_utils"
Array = npt.NDArray[np.generic]


class TritonModelException(Exception):  # noqa: N818 - Triton's name, which models raise
    """What a model raises to refuse a load or a request."""


class TritonError:
    """An error that a model puts into one response."""

    def __init__(self, message: str) -> None:
        self._message = message

    def message(self) -> str:
        """Give the text."""
        return self._message


class Tensor:
    """A named array in this process's memory."""

    def __init__(self, name: str, array: Array) -> None:
        self._name = name
        self._array = np.ascontiguousarray(array)

    @classmethod
    def from_dlpack(cls, name: str, source: Any) -> Self:  # noqa: ANN401 - any object that speaks DLPack
        """Take over a tensor of another library."""
        return cls(name, np.from_dlpack(source))

    def name(self) -> str:
        """Give the tensor's name."""
        return self._name

    def as_numpy(self) -> Array:
        """Give the array itself, not a copy."""
        return self._array

    def is_cpu(self) -> bool:
        """Tell that the tensor lies in main memory, always."""
        return True


class InferenceRequest:
    """What a model's `execute` gets; calling other models with it is not supported."""

    def __init__(self, inputs: Sequence[Tensor], requested_output_names: Sequence[str]) -> None:
        self._inputs = list(inputs)
        self._outputs = list(requested_output_names)

    def inputs(self) -> list[Tensor]:
        """Give all input tensors."""
        return self._inputs

    def requested_output_names(self) -> list[str]:
        """Give the names of the outputs that the caller wants."""
        return self._outputs

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse what Triton's own request has besides."""
        refuse(f"InferenceRequest.{name} in a model.py")


class InferenceResponse:
    """What a model's `execute` gives for one request: tensors or an error."""

    def __init__(self, output_tensors: Sequence[Tensor], error: TritonError | None = None) -> None:
        self._outputs = list(output_tensors)
        self._error = error

    def output_tensors(self) -> list[Tensor]:
        """Give the outputs."""
        return self._outputs

    def has_error(self) -> bool:
        """Tell whether the request failed."""
        return self._error is not None

    def error(self) -> TritonError | None:
        """Give the error."""
        return self._error


def get_input_tensor_by_name(request: InferenceRequest, name: str) -> Tensor | None:
    """Give the input of that name, or None."""
    return next((tensor for tensor in request.inputs() if tensor.name() == name), None)


def get_output_tensor_by_name(response: InferenceResponse, name: str) -> Tensor | None:
    """Give the output of that name, or None."""
    return next((tensor for tensor in response.output_tensors() if tensor.name() == name), None)


def render_model_config(config: ModelConfig) -> str:
    """Write the configuration as JSON, as Triton hands it to `initialize`."""
    return json.dumps(
        {
            "name": config.name,
            "backend": "python",
            "max_batch_size": 0,
            "input": [_render_tensor(spec) for spec in config.inputs],
            "output": [_render_tensor(spec) for spec in config.outputs],
            "parameters": {key: {"string_value": value} for key, value in config.parameters.items()},
        }
    )


def _render_tensor(spec: TensorSpec) -> Mapping[str, Any]:
    return {"name": spec.name, "data_type": f"TYPE_{spec.datatype}", "dims": list(spec.dims)}


def install_backend() -> None:
    """Let every `import triton_python_backend_utils` of this process find this module's names."""
    module = types.ModuleType(MODULE, __doc__)
    offered = (Tensor, InferenceRequest, InferenceResponse, TritonError, TritonModelException)
    for each in (*offered, get_input_tensor_by_name, get_output_tensor_by_name):
        setattr(module, each.__name__, each)
    module.__dict__["__getattr__"] = _refuse
    sys.modules[MODULE] = module


def _refuse(name: str) -> NoReturn:
    if name.startswith("__"):  # Python's own questions, such as __path__
        message = f"module {MODULE!r} has no attribute {name!r}"
        raise AttributeError(message)
    refuse(f"{MODULE}.{name}")
