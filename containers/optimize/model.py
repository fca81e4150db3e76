"""The model that training left: taken out of its archive, held against the contract, run.

The contract: one image input, uint8 [N,H,W,3] or float32 [N,3,H,W] with values from 0 to 1, H and W fixed;
the first output holds one score for each class, [N,classes].
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import onnxruntime as ort

from .errors import OptimizeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

NAME = "model.onnx"
MAX_BYTES = 2 * 1024**3
"""ONNX keeps models of more than 2 GB in several files, which this program does not join."""
CHUNK = 1 << 20
Layout = Literal["NHWC", "NCHW"]
Session = Any
"""An onnxruntime.InferenceSession; the library carries no types."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model takes and gives; height and width in pixels."""

    input: str
    output: str
    layout: Layout
    height: int
    width: int
    opset: int


def read_archive(folder: Path, target: Path) -> None:
    """Write the archive's model.onnx to `target`; raises OptimizeError when there is none."""
    archives = sorted(folder.glob("*.tar.gz"))
    if len(archives) != 1:
        message = f"expected one model.tar.gz among the inputs, found {len(archives)}"
        raise OptimizeError(message)
    try:
        with tarfile.open(archives[0], "r:gz") as archive:
            _copy_model(archive, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        message = f"{archives[0].name} cannot be read: {error}"
        raise OptimizeError(message) from error


def _copy_model(archive: tarfile.TarFile, target: Path) -> None:
    for member in archive:
        if member.name.removeprefix("./") != NAME or not member.isreg():
            continue
        if member.size > MAX_BYTES:
            message = f"{NAME} has {member.size:,} bytes; this program takes up to {MAX_BYTES:,}"
            raise OptimizeError(message)
        source = archive.extractfile(member)
        if source is not None:
            with target.open("wb") as copy:
                while chunk := source.read(CHUNK):
                    copy.write(chunk)
            return
    message = f"model.tar.gz holds no {NAME}; let the training script write it into SM_MODEL_DIR"
    raise OptimizeError(message)


def parse_signature(path: Path, labels: Sequence[str]) -> Signature:
    """Return what the model takes and gives; raises OptimizeError where it breaks the contract."""
    model = _load(path)
    constants = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    if len(inputs) != 1:
        message = f"the model has {len(inputs)} inputs; it must have one, an image"
        raise OptimizeError(message)
    layout, height, width = _parse_image(inputs[0])
    output = model.graph.output[0]
    _check_scores(output, labels)
    opset = next((item.version for item in model.opset_import if item.domain in {"", "ai.onnx"}), 0)
    return Signature(
        input=inputs[0].name, output=output.name, layout=layout, height=height, width=width, opset=opset
    )


def _load(path: Path) -> Any:  # noqa: ANN401 - onnx's generated class
    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path))
    except Exception as error:
        message = f"{NAME} is no valid ONNX model: {str(error).splitlines()[0]}"
        raise OptimizeError(message) from error


def _parse_image(value: Any) -> tuple[Layout, int, int]:  # noqa: ANN401 - onnx's generated class
    shape, kind = _shape(value), value.type.tensor_type.elem_type
    match shape:
        case [_, int(height), int(width), 3] if kind == onnx.TensorProto.UINT8:
            return "NHWC", height, width
        case [_, 3, int(height), int(width)] if kind == onnx.TensorProto.FLOAT:
            return "NCHW", height, width
    message = (
        f"the input {value.name!r} is {onnx.TensorProto.DataType.Name(kind)} {shape}; it must be UINT8 "
        "[N,height,width,3] or FLOAT [N,3,height,width] with a fixed height and width"
    )
    raise OptimizeError(message)


def _check_scores(value: Any, labels: Sequence[str]) -> None:  # noqa: ANN401 - onnx's generated class
    shape = _shape(value)
    if len(shape) != 2 or shape[1] not in {len(labels), None}:
        message = (
            f"the first output {value.name!r} is {shape}; it must be [N,{len(labels)}], "
            f"a score for each of {', '.join(labels)}"
        )
        raise OptimizeError(message)


def _shape(value: Any) -> list[int | None]:  # noqa: ANN401 - onnx's generated class
    dimensions = value.type.tensor_type.shape.dim
    return [item.dim_value if item.HasField("dim_value") else None for item in dimensions]


def open_session(path: Path, *, optimized: Path | None = None) -> Session:
    """Return an inference session on one thread; `optimized` is where its graph is written, if given.

    EXTENDED, never ALL: the layouts that ALL chooses belong to the machine that optimises
    (onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html).
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def score(session: Session, signature: Signature, image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the scores of one image, [classes]."""
    scores = session.run([signature.output], {signature.input: image[np.newaxis]})[0]
    return np.asarray(scores[0], dtype=np.float32)
