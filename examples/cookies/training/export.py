"""Writes the trained classifier as ONNX: bytes in, scores out, so that a device needs no preprocessing.

Input `image`: uint8 `[N, SIDE, SIDE, 3]`, RGB. Output `scores`: float32 `[N, classes]`, each row sums to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from learning import DEVIATION, MEAN, SIDE, Pictures, predict
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from network import Classifier
    from numpy.typing import ArrayLike

_OPSET = 17
_IR_VERSION = 9
_TOLERANCE = 1e-3


class ExportError(Exception):
    """The ONNX model does not answer as the classifier does."""


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx takes them
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: ArrayLike) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32, order="C"), name))
        return name


def write_model(classifier: Classifier, names: Sequence[str], path: Path) -> None:
    """Write the model with its class names in its metadata."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", len(names)])
    graph = _build(classifier)
    proto = helper.make_graph(graph.nodes, "classifier", [image], [scores], graph.constants)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(proto, opset_imports=opsets, ir_version=_IR_VERSION)
    helper.set_model_props(model, {"labels": ",".join(names)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def check_model(classifier: Classifier, path: Path, pictures: Pictures) -> None:
    """Raise ExportError unless the written model scores the pictures as the classifier does."""
    answers = list(ReferenceEvaluator(str(path)).run(None, {"image": pictures}))
    difference = float(np.abs(np.asarray(answers[0]) - predict(classifier, pictures)).max())
    if not difference < _TOLERANCE:
        message = f"the exported model's scores differ by {difference:.2g} from the trained classifier's"
        raise ExportError(message)


def _build(classifier: Classifier) -> _Graph:
    graph = _Graph()
    features = _normalise(graph)
    for number, block in enumerate(classifier.blocks):
        weight, bias = block.folded()
        inputs = [
            features,
            graph.constant(f"weight{number}", weight.transpose(3, 2, 0, 1)),
            graph.constant(f"bias{number}", bias),
        ]
        shape = block.shape
        pads = [shape.kernel // 2] * 4
        convolved = graph.add(
            "Conv",
            inputs,
            f"convolved{number}",
            kernel_shape=[shape.kernel] * 2,
            strides=[shape.stride] * 2,
            pads=pads,
        )
        features = graph.add("Relu", [convolved], f"features{number}")
    _classify(graph, features, classifier)
    return graph


def _normalise(graph: _Graph) -> str:
    factor = graph.constant("factor", [1 / (255 * DEVIATION)])
    offset = graph.constant("offset", [-MEAN / DEVIATION])
    values = graph.add("Cast", ["image"], "values", to=TensorProto.FLOAT)
    scaled = graph.add("Mul", [values, factor], "scaled")
    centred = graph.add("Add", [scaled, offset], "centred")
    return graph.add("Transpose", [centred], "planes", perm=[0, 3, 1, 2])


def _classify(graph: _Graph, features: str, classifier: Classifier) -> None:
    mean = graph.add("GlobalAveragePool", [features], "mean")
    highest = graph.add("GlobalMaxPool", [features], "highest")
    pooled = graph.add("Concat", [mean, highest], "pooled", axis=1)
    flat = graph.add("Flatten", [pooled], "flat")
    weight = graph.constant("weight", classifier.weight.value)
    bias = graph.constant("bias", classifier.bias.value)
    logits = graph.add("Gemm", [flat, weight, bias], "logits")
    graph.add("Softmax", [logits], "scores", axis=1)
