"""transform: lines with traps in them, splits that stay put, and datasets that do not suffice."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import transform
from tasks.errors import TaskInputError
from tests.unit.tasks.fakes import RESULTS, Cloud, artifact, payload
from tests.unit.tasks.pictures import picture

LABELS = "s3://cookie-data/labels.jsonl"
ROOT = "s3://cookie-data/set/"
CONFIG: dict[str, Any] = {
    "format": "defect",
    "split": {"train": 0.5, "validation": 0.3, "test": 0.2, "by": "hash"},
    "require": {"min_images": 10, "min_per_class": 2},
}
ALL_TRAIN = {"split": {"train": 1, "by": "hash"}, "require": {}}


def record(number: int, name: str, **changes: Any) -> dict[str, Any]:
    line = {
        "source-ref": f"{ROOT}{name}/{number:03d}.jpg",
        "label": 0,
        "label-metadata": {"class-name": name, "confidence": 0.9, "creation-date": "2026-01-01T00:00:00"},
    }
    return {**line, **changes}


def records(count: int) -> list[dict[str, Any]]:
    return [record(number, name) for name in ("normal", "anomaly") for number in range(count)]


def put(cloud: Cloud, lines: list[dict[str, Any]], *extra: bytes, newline: bytes = b"\n") -> None:
    """Write the manifest, and a good image for every line."""
    for index, line in enumerate(lines):
        if str(line.get("source-ref", "")).startswith("s3://cookie-data/"):
            cloud.s3.put(line["source-ref"], picture(seed=index))
    texts = [json.dumps(line).encode() for line in lines]
    cloud.s3.put(LABELS, newline.join([*texts, *extra]) + newline)


def call(**config: Any) -> dict[str, Any]:
    labels = artifact("labels", LABELS, labels=["normal", "anomaly"], attribute="label", root=ROOT)
    event = payload("transform", {**CONFIG, **config}, inputs={"labels": labels})
    made: dict[str, Any] = transform.handler(event, None)["manifest"]
    return made


def read_lines(cloud: Cloud, uri: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cloud.s3.get(uri).splitlines()]


def test_every_image_lands_in_one_split_with_its_files(cloud: Cloud) -> None:
    put(cloud, records(30))
    manifest = call()
    everything = read_lines(cloud, manifest["uri"])
    assert [line["anomaly-label"] for line in everything] == [0] * 30 + [1] * 30
    splits = manifest["facts"]["splits"]
    assert splits["train"]["uri"] == f"{RESULTS}/transform/manifests/train.jsonl"
    assert splits["test"]["uri"] == f"{RESULTS}/transform/held-out/test.jsonl"
    found = []
    for split in splits.values():
        lines = read_lines(cloud, split["uri"])
        prefix, *keys = json.loads(cloud.s3.get(split["images"]))
        assert [prefix["prefix"] + key for key in keys] == [line["source-ref"] for line in lines]
        assert split["count"] == len(lines) == sum(split["per_class"].values())
        found += lines
    assert sorted(found, key=str) == sorted(everything, key=str)


def test_a_line_has_the_training_manifest_form(cloud: Cloud) -> None:
    put(
        cloud,
        [record(1, "anomaly"), record(2, "normal", label="7", **{"other-metadata": {"class-name": "x"}})],
    )
    first, second = read_lines(cloud, call(**ALL_TRAIN)["uri"])
    assert first == {
        "source-ref": f"{ROOT}anomaly/001.jpg",
        "anomaly-label": 1,
        "anomaly-label-metadata": {
            "class-name": "anomaly",
            "confidence": 0.9,
            "type": "groundtruth/image-classification",
            "job-name": "anomaly-label",
            "human-annotated": "yes",
            "creation-date": "2026-01-01T00:00:00",
        },
    }
    assert second["anomaly-label"] == 0, "the class name decides, whatever the number says"
    assert set(second) == {"source-ref", "anomaly-label", "anomaly-label-metadata"}


def test_the_same_labels_give_the_same_bytes(cloud: Cloud) -> None:
    put(cloud, records(20))
    first = call(), dict(cloud.s3.objects)
    assert (call(), cloud.s3.objects) == first


def test_blank_lines_carriage_returns_failures_and_repetitions_are_no_problems(cloud: Cloud) -> None:
    failed = record(9, "normal", **{"label-metadata": {"failure-reason": "timed out", "job-name": "x"}})
    lines = [record(1, "normal"), record(2, "anomaly"), record(1, "normal"), failed]
    put(cloud, lines, b"", b"   ", newline=b"\r\n")
    facts = call(**ALL_TRAIN)["facts"]
    assert facts["count"] == 2
    assert facts["left_out"] == {"failed": 1, "duplicates": 1}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"label-metadata": {"class-name": "Anomaly"}},
            "line 3 at /label-metadata/class-name: 'Anomaly' is none of the labels normal, anomaly. "
            "Did you mean 'anomaly'?",
            id="unknown class",
        ),
        pytest.param({"label-metadata": None}, "line 3 at /label-metadata: is missing", id="no metadata"),
        pytest.param(
            {"label-metadata": {"objects": [], "class-map": {}}}, "the label is a set of boxes", id="boxes"
        ),
        pytest.param({"label-metadata": {"class-map": {}}}, "several classes", id="several labels"),
        pytest.param({"source-ref": None}, "line 3 at /source-ref: is missing", id="no image"),
        pytest.param({"source-ref": "s3://s3://cookie-data//a.jpg"}, "names s3:// twice", id="doubled"),
        pytest.param({"source-ref": "http://169.254.169.254/x"}, "is not an s3:// address", id="web address"),
        pytest.param({"source-ref": "s3://cookie-data/../x.jpg"}, "'..' in its key", id="climbing"),
        pytest.param({"source-ref": "s3://cookie-data/x\ud800.jpg"}, "surrogate", id="half a character"),
        pytest.param(
            {"source-ref": "s3://foreign/a.jpg"},
            "the bucket foreign, which is not the use case's; copy it to cookie-data",
            id="foreign bucket",
        ),
        pytest.param(
            {"source-ref": f"{ROOT}normal/000.jpg", "label-metadata": {"class-name": "anomaly"}},
            "is 'anomaly' here and 'normal' in line 1; keep one of them",
            id="contradiction",
        ),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_place(
    cloud: Cloud, changes: dict[str, Any], told: str
) -> None:
    put(cloud, [record(0, "normal"), record(1, "anomaly"), record(2, "normal", **changes)])
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**ALL_TRAIN)


def test_all_problems_come_in_one_message(cloud: Cloud) -> None:
    put(cloud, [record(0, "normal"), record(1, "crack")], b'{"source-ref": NaN}', b"{")
    with pytest.raises(TaskInputError) as caught:
        call(**ALL_TRAIN)
    assert [f"line {number}" in str(caught.value) for number in range(1, 5)] == [False, True, True, True]
    assert "3 problems" in str(caught.value)


def test_a_message_stops_after_twenty_problems(cloud: Cloud) -> None:
    put(cloud, [record(number, "crack") for number in range(50)])
    with pytest.raises(TaskInputError, match="20 problems or more") as caught:
        call(**ALL_TRAIN)
    assert str(caught.value).count("\n") == 20


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (picture()[:-20], "000.jpg is a JPEG that breaks off before its end"),
        (b"not an image", "000.jpg is some other file"),
        (b"", "000.jpg is empty"),
    ],
)
def test_a_broken_image_is_named_with_the_remedy(cloud: Cloud, content: bytes, told: str) -> None:
    put(cloud, records(5))
    cloud.s3.put(f"{ROOT}anomaly/000.jpg", content)
    with pytest.raises(TaskInputError, match=re.escape(told)) as caught:
        call(**ALL_TRAIN)
    assert "Replace the image, or remove it" in str(caught.value)
    assert "line 6 at /source-ref" in str(caught.value)


def test_a_missing_image_is_named(cloud: Cloud) -> None:
    put(cloud, records(5))
    del cloud.s3.objects["cookie-data", "set/normal/003.jpg"]
    with pytest.raises(TaskInputError, match=re.escape("normal/003.jpg does not exist")):
        call(**ALL_TRAIN)


@pytest.mark.parametrize(
    ("names", "config", "told"),
    [
        (["normal"] * 12, {}, "has 12 images (12 normal, 0 anomaly), but each class needs 2 or more"),
        (["normal"] * 12 + ["anomaly"], {}, "add images of anomaly, or lower require.min_per_class"),
        (
            ["normal"] * 4 + ["anomaly"] * 4,
            {},
            "but 10 are required; add images, or lower require.min_images",
        ),
        (["normal"] * 40 + ["anomaly"] * 2, {}, "got none of anomaly; add images"),
        ([], {"require": {}}, "has 0 images"),
    ],
)
def test_a_dataset_that_does_not_suffice_is_told_its_counts(
    cloud: Cloud, names: list[str], config: dict[str, Any], told: str
) -> None:
    put(cloud, [record(number, name) for number, name in enumerate(names)])
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**config)
    assert not any(key.startswith("runs/") for _, key in cloud.s3.objects), (
        "nothing is written for a bad dataset"
    )


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"format": "boxes"}, "event.config.format must be one of defect"),
        ({"split": {"train": 0.5, "validation": 0.2, "by": "hash"}}, "fractions that add up to 1"),
        ({"split": {"train": 1, "by": "time"}}, "event.config.split.by must be hash"),
    ],
)
def test_settings_that_cannot_work_are_named(cloud: Cloud, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**config)


FRACTIONS = (("train", 0.65), ("validation", 0.15), ("test", 0.2))


@given(st.lists(st.text(max_size=30), unique=True, max_size=50), st.text(max_size=30))
def test_an_image_never_changes_sides_when_others_come(keys: list[str], another: str) -> None:
    before = {key: transform.side_of(key, FRACTIONS) for key in keys}
    after = {key: transform.side_of(key, FRACTIONS) for key in [another, *keys]}
    assert before.items() <= after.items()


def test_sides_have_about_the_size_asked_for() -> None:
    sides = [transform.side_of(f"normal/{number}.jpg", FRACTIONS) for number in range(4000)]
    assert all(abs(sides.count(name) / 4000 - part) < 0.03 for name, part in FRACTIONS)
