"""A training script that takes no time: an image is an anomaly when it is dark."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save
from PIL import Image

SIZE = 8


def rows(split: str) -> list[tuple[float, int]]:
    manifest = Path(os.environ["SM_CHANNEL_MANIFESTS"]) / f"{split}.jsonl"
    images = Path(os.environ[f"SM_CHANNEL_{split.upper()}"])
    found = []
    for line in manifest.read_text().splitlines():
        row = json.loads(line)
        with Image.open(images / row["source-ref"].split("/", 3)[3]) as image:
            found.append((float(np.asarray(image.convert("L")).mean()), row["anomaly-label"]))
    return found


def threshold(examples: list[tuple[float, int]]) -> float:
    means = [np.mean([value for value, label in examples if label == wanted]) for wanted in (0, 1)]
    return float(sum(means) / 2)


def export(limit: float, path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Sub", ["column", "limit"], ["bright"]),
        helper.make_node("Neg", ["bright"], ["dark"]),
        helper.make_node("Concat", ["bright", "dark"], ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    constants = [
        helper.make_tensor("limit", TensorProto.FLOAT, [1], [limit]),
        helper.make_tensor("last", TensorProto.INT64, [1], [1]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "brightness", [image], [scores], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="good")
    mode = parser.parse_args().mode
    if mode == "crash":
        sys.exit("the training data drawer is empty")
    if mode.startswith("until="):
        print("waiting", flush=True)
        while not Path(mode.removeprefix("until=")).exists():
            time.sleep(0.05)
    limit = threshold(rows("train"))
    right = [(value < limit) == bool(label) for value, label in rows("validation")]
    export(limit, Path(os.environ["SM_MODEL_DIR"]) / "model.onnx")
    accuracy = 0.5 if mode == "weak" else sum(right) / len(right)
    print("done" if mode == "silent" else f"accuracy={accuracy:.4f}")


main()
