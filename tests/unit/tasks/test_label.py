"""label: folders become a manifest; a manifest is adopted; what a dataset lacks is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tasks import label
from tasks.errors import TaskInputError
from tests.unit.tasks.fakes import RESULTS, Cloud, payload

ROOT = "s3://cookie-data/datasets/cookies/"
FOLDERS = {"method": "folders", "dataset": ROOT, "labels": ["normal", "anomaly"]}
MANIFEST = "s3://cookie-data/labels/output.manifest"


def call(**config: Any) -> dict[str, Any]:
    labels: dict[str, Any] = label.handler(payload("label", {**FOLDERS, **config}), None)["labels"]
    return labels


def fill(cloud: Cloud, *names: str) -> None:
    for name in names:
        cloud.s3.put(ROOT + name, b"image")


def line(source: str, **labels: tuple[str, object]) -> bytes:
    record: dict[str, Any] = {"source-ref": source}
    for attribute, (name, value) in labels.items():
        record[attribute] = value
        record[f"{attribute}-metadata"] = {"class-name": name, "type": "groundtruth/image-classification"}
    return json.dumps(record).encode() + b"\n"


def test_folders_become_a_ground_truth_manifest(cloud: Cloud) -> None:
    fill(
        cloud,
        "normal/b.PNG",
        "normal/a.jpg",
        "anomaly/sub/c.jpeg",
        "anomaly/notes.txt",
        "other/d.jpg",
        "normal/",
    )
    artifact = call()
    lines = [json.loads(text) for text in cloud.s3.get(f"{RESULTS}/label/labels.jsonl").splitlines()]
    assert [(item["source-ref"].removeprefix(ROOT), item["label"]) for item in lines] == [
        ("anomaly/sub/c.jpeg", 1),
        ("normal/a.jpg", 0),
        ("normal/b.PNG", 0),
    ]
    assert lines[0]["label-metadata"] == {
        "class-name": "anomaly",
        "confidence": 1.0,
        "type": "groundtruth/image-classification",
        "job-name": "folders",
        "human-annotated": "yes",
        "creation-date": "2026-03-01T12:30:15.250000",
    }
    assert artifact["facts"] == {
        "labels": ["normal", "anomaly"],
        "count": 3,
        "per_class": {"normal": 2, "anomaly": 1},
        "attribute": "label",
        "root": ROOT,
        "ignored": 2,
    }


def test_the_same_dataset_gives_the_same_bytes(cloud: Cloud) -> None:
    fill(cloud, "normal/a.jpg", "anomaly/b.jpg")
    assert call()["digest"] == call(dataset=ROOT.rstrip("/"))["digest"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), f"the dataset {ROOT} is empty; it should hold one folder for each label"),
        (("normal/a.jpg",), "has no images in anomaly/"),
        (("normal/a.jpg", "anomalies/b.jpg"), "folders: anomalies/, normal/; 1 images in normal/"),
        (("a.jpg", "b.jpg"), "has no images in normal/, anomaly/"),
        (("normal/a.gif", "anomaly/b.txt"), "Found instead: 2 files, folders: anomaly/, normal/"),
    ],
)
def test_a_dataset_that_lacks_something_is_told_what(cloud: Cloud, names: tuple[str, ...], told: str) -> None:
    fill(cloud, *names)
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call()
    assert (RESULTS.removeprefix("s3://").split("/")[0], "label/labels.jsonl") not in cloud.s3.objects


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"method": "guess"},
            "event.config.method must be one of folders, manifest, ground-truth; it is 'guess'",
        ),
        ({"dataset": "datasets/cookies"}, "is not an s3:// address"),
        ({"dataset": "s3://s3://cookie-data/x"}, "names s3:// twice"),
        ({"dataset": "s3://cookie-data/a/../b/"}, "'..' in its key"),
        ({"labels": ["a/b", "c"]}, "without slashes"),
        ({"labels": ["a", "a"]}, "distinct"),
    ],
)
def test_settings_that_cannot_work_are_named(cloud: Cloud, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**config)


def test_a_manifest_is_adopted_as_it_is(cloud: Cloud) -> None:
    text = line("s3://cookie-data/set/a/1.jpg", cls=("normal", 0)) + line(
        "s3://cookie-data/set/b/2.jpg", cls=("anomaly", "1")
    )
    digest = cloud.s3.put(MANIFEST, b"\xef\xbb\xbf" + text)
    artifact = call(method="manifest", dataset=MANIFEST)
    assert (artifact["uri"], artifact["digest"]) == (MANIFEST, digest)
    assert artifact["facts"] == {
        "labels": ["normal", "anomaly"],
        "count": 2,
        "attribute": "cls",
        "root": "s3://cookie-data/set/",
    }


def test_without_labels_the_classes_found_are_taken_with_normal_first(cloud: Cloud) -> None:
    cloud.s3.put(
        MANIFEST,
        line("s3://cookie-data/a.jpg", c=("crack", 1)) + line("s3://cookie-data/b.jpg", c=("normal", 0)),
    )
    assert call(method="manifest", dataset=MANIFEST, labels=[])["facts"]["labels"] == ["normal", "crack"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b'{"source-ref": "s3://cookie-data/a.jpg"}\n', "has no class attribute"),
        (
            line("s3://b-b-b/a.jpg", one=("x", 0), two=("y", 0)),
            "class attributes one, two; leave only the one",
        ),
        (b'{"a": 1}\n{"a": NaN}\n[1]\n{"a": 1, "a": 2}\n{"a"', "line 2: is not JSON: NaN is no JSON number"),
        (b'{"a": 1, "a": 2}\n', "the key 'a' is there twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\n", "byte 1 is not UTF-8"),
        (b"x" * (2 << 20), "line 1 is longer than 1048576 bytes"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told_why(cloud: Cloud, content: bytes, told: str) -> None:
    cloud.s3.put(MANIFEST, content)
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(method="manifest", dataset=MANIFEST)


@pytest.mark.parametrize(("uri", "told"), [(MANIFEST, "does not exist"), (ROOT, "is a folder")])
def test_a_manifest_must_be_an_object_that_exists(cloud: Cloud, uri: str, told: str) -> None:
    with pytest.raises(TaskInputError, match=told):
        call(method="manifest", dataset=uri)
