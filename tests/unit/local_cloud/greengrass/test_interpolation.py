"""Recipe variables: what is known is put in, once; the rest stays as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.greengrass.interpolation import Scope, Surroundings, interpolate

OWN = Surroundings(
    configuration={
        "port": "80",
        "count": 5,
        "flag": True,
        "none": None,
        "list": [1, "x"],
        "deep": {"b": 1, "a": "{work:path}"},
    },
    artifacts=Path("/g/artifacts/app"),
    unarchived=Path("/g/unarchived/app"),
    work=Path("/g/work/app"),
)
SERVER = Surroundings(
    configuration={"port": 90},
    artifacts=Path("/g/artifacts/server"),
    unarchived=Path("/g/unarchived/server"),
    work=Path("/g/work/server"),
)
SCOPE = Scope(own=OWN, dependencies={"com.example.Server": SERVER}, root=Path("/g"), thing="line-3")

TEXTS = [
    ("{configuration:/port}", "80"),
    ("p={configuration:/count}!", "p=5!"),
    ("{configuration:/flag} {configuration:/none}", "true null"),
    ("{configuration:/list}", '[1,"x"]'),
    ("{configuration:/list/1}", "x"),
    ("{configuration:/deep}", '{"a":"{work:path}","b":1}'),
    ("{configuration:/deep/a}", "{work:path}"),
    ("{configuration:/missing}", "{configuration:/missing}"),
    ("{artifacts:path}/x", "/g/artifacts/app/x"),
    ("{artifacts:decompressedPath}/zip", "/g/unarchived/app/zip"),
    ("{work:path}", "/g/work/app"),
    ("{kernel:rootPath} {iot:thingName}", "/g line-3"),
    ("{com.example.Server:configuration:/port}", "90"),
    ("{com.example.Server:work:path}", "/g/work/server"),
    ("{com.example.Server:artifacts:decompressedPath}", "/g/unarchived/server"),
    ("{com.example.Server:iot:thingName}", "{com.example.Server:iot:thingName}"),
    ("{com.example.Stranger:work:path}", "{com.example.Stranger:work:path}"),
    ("{artifacts:other}", "{artifacts:other}"),
    ("${HOME} { work:path } {}", "${HOME} { work:path } {}"),
    ("awk '{print $1}'", "awk '{print $1}'"),
    ("{{work:path}}", "{/g/work/app}"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, SCOPE) == expected


@given(st.text())
def test_a_text_without_braces_stays(text: str) -> None:
    plain = text.replace("{", "")
    assert interpolate(plain, SCOPE) == plain
