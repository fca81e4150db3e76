"""manifest: single lines; and the cookie sample of AWS with its real traps, where it is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import label, manifest
from tasks.manifest import Labelled, Problem

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "cookies"


@given(st.binary(max_size=200))
def test_any_line_is_an_object_a_problem_or_blank(raw: bytes) -> None:
    found = manifest.parse_object(1, raw)
    assert found is None or isinstance(found, dict | Problem)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    )
)
def test_any_metadata_gives_an_entry(metadata: object) -> None:
    record = {"source-ref": "s3://cookie-data/a.jpg", "x-metadata": metadata}
    entry = manifest.parse_entry(1, record, "x", ("normal", "anomaly"))
    assert entry.line == 1


def test_pointers_escape_what_json_pointers_escape() -> None:
    assert manifest.pointer("a/b~c", "d") == "/a~1b~0c/d"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the cookie sample is not here")
@pytest.mark.parametrize("name", ["train_class.manifest", "train_segmentation.manifest"])
def test_the_cookie_sample_is_read_in_spite_of_its_traps(name: str) -> None:
    lines = list(enumerate((SAMPLES / name).read_bytes().splitlines(), 1))
    survey = label.survey_manifest(lines, name)
    attribute = label.choose_attribute(survey, None, name)
    assert (survey.lines, attribute) == (63, "anomaly-label")
    assert survey.classes[attribute] == {"normal": 31, "anomaly": 32}
    for number, raw in lines:
        found = manifest.parse_entry(number, json.loads(raw), attribute, ("normal", "anomaly"))
        assert isinstance(found, Labelled)
        assert found.class_name in found.source.key
