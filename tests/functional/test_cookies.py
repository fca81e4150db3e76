"""The example's training script as SageMaker runs it: a process with channels and variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

COOKIES = Path(__file__).parents[2] / "examples" / "cookies"
CLASSES = ("normal", "anomaly")


@dataclass(frozen=True)
class Channels:
    root: Path

    def add(self, split: str, number: int, label: int) -> Path:
        """Add one drawn picture: grey, with a bright square where the part is damaged."""
        rng = np.random.default_rng([number, label])
        pixels = rng.integers(80, 120, (90, 70, 3)).astype(np.uint8)
        if label:
            pixels[20:60, 20:50] = 240
        name = f"{split} {number}#%20.png"
        drawn = self.root / "drawn" / CLASSES[label] / name
        drawn.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(drawn)
        return self.put(split, drawn, label)

    def put(self, split: str, picture: Path, label: int) -> Path:
        """Add a file to a split: where SageMaker would lay it, and as a line of the manifest."""
        name = f"set/{CLASSES[label]}/{picture.name}"
        path = self.root / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, path)
        (self.root / "manifests").mkdir(exist_ok=True)
        row = {
            "source-ref": f"s3://bucket/{name}",
            "anomaly-label": label,
            "anomaly-label-metadata": {"class-name": CLASSES[label]},
        }
        with (self.root / "manifests" / f"{split}.jsonl").open("a") as manifest:
            manifest.write(json.dumps(row) + "\n")
        return path

    def fill(self) -> None:
        for split, each in (("train", 6), ("validation", 3)):
            for number in range(each):
                for label in (0, 1):
                    self.add(split, number, label)

    def train(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        model = self.root / "model"
        model.mkdir(exist_ok=True)
        places = {name: str(self.root / name) for name in ("manifests", "train", "validation")}
        variables = {f"SM_CHANNEL_{name.upper()}": place for name, place in places.items()}
        return subprocess.run(
            [sys.executable, "train.py", *arguments],
            cwd=COOKIES / "training",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONDONTWRITEBYTECODE": "1",
                "SM_MODEL_DIR": str(model),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def channels(tmp_path: Path) -> Channels:
    return Channels(tmp_path)


def test_training_prints_figures_and_writes_a_model_of_the_contract(channels: Channels) -> None:
    channels.fill()
    done = channels.train("--epochs", "2", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "12 images to train on, 6 to validate"
    figures = dict(part.split("=") for part in done.stdout.splitlines()[-1].split())
    assert list(figures) == ["accuracy", "recall", "precision"]
    session = onnxruntime.InferenceSession(channels.root / "model" / "model.onnx")
    assert session.get_modelmeta().custom_metadata_map == {"labels": "normal,anomaly"}
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["n", 128, 128, 3])
    (scores,) = session.run(["scores"], {"image": np.zeros((3, 128, 128, 3), np.uint8)})
    assert scores.shape == (3, 2)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_trains_the_same_model(channels: Channels) -> None:
    channels.fill()
    models = []
    for _ in range(2):
        assert channels.train("--epochs", "1").returncode == 0
        models.append((channels.root / "model" / "model.onnx").read_bytes())
    assert models[0] == models[1]


def test_a_broken_image_is_named(channels: Channels) -> None:
    channels.fill()
    channels.add("train", 99, 0).write_bytes(b"\xff\xd8\xff\xe0 cut short")
    done = channels.train()
    assert done.returncode == 1
    assert done.stderr.startswith("train.py: s3://bucket/set/normal/train 99#%20.png is not an image")
    assert len(done.stderr.splitlines()) == 1


def test_one_class_alone_is_refused(channels: Channels) -> None:
    for number in range(3):
        channels.add("train", number, 0)
        channels.add("validation", number, 1)
    done = channels.train()
    assert (done.returncode, done.stdout) == (1, "")
    expected = (
        "train.py: every class needs images to learn from, found normal: 3; add images of the other class\n"
    )
    assert done.stderr == expected


def test_an_empty_split_and_a_missing_file_are_named(channels: Channels) -> None:
    channels.fill()
    channels.add("train", 50, 1).unlink()
    assert "is in the manifest but was not downloaded" in channels.train().stderr
    (channels.root / "manifests" / "train.jsonl").write_text("")
    assert "the train split is empty" in channels.train().stderr
    (channels.root / "manifests" / "train.jsonl").unlink()
    assert "train.jsonl is not among the manifests" in channels.train().stderr


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_model_trained_on_drawn_cookies_is_right_about_new_ones(channels: Channels, seed: int) -> None:
    drawn = channels.root / "drawn"
    command = [sys.executable, str(COOKIES / "generate.py"), "--out", str(drawn), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    held_back: list[tuple[Path, int]] = []
    for label, name in enumerate(CLASSES):
        for number, picture in enumerate(sorted((drawn / name).glob("*.jpg"))):
            if number % 5 == 0:
                held_back.append((picture, label))
            else:
                channels.put("validation" if number % 5 == 1 else "train", picture, label)
    done = channels.train()
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(channels.root / "model" / "model.onnx")
    right = 0
    for picture, label in held_back:
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB").resize((128, 128), Image.Resampling.BOX))
        (scores,) = session.run(None, {"image": pixels[np.newaxis]})
        right += int(scores.argmax()) == label
    assert right / len(held_back) >= 0.95
