"""`edgepipe plan` and `edgepipe policy` as processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_cli import HEAD, LABEL, edgepipe

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = '  train: {script: code/train.py, framework: {name: sklearn, version: "1"}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, steps in (("new", LABEL + "  transform: {}\n" + TRAIN), ("old", LABEL + "  transform: {}\n")):
        tmp_path.joinpath(f"{name}.yaml").write_text(HEAD + steps, encoding="utf-8")
    tmp_path.joinpath("bad.yaml").write_text(HEAD + LABEL + "  transfrom: {}\n", encoding="utf-8")
    tmp_path.joinpath("code").mkdir()
    tmp_path.joinpath("code", "train.py").write_text("print('a')\n", encoding="utf-8")
    return tmp_path


def test_a_plan_says_what_changes_and_what_it_costs(folder: Path) -> None:
    done = edgepipe("plan", "new.yaml", "--against", "old.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (4, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "Pipeline cookies, against old.yaml"
    assert "  + train" in lines
    assert "    + lambda:InvokeFunction on ${train_function_arn}" in lines
    assert "Steps to run again: 1 of 3" in lines
    assert any(line.startswith("Cost of one run, about: 0.") for line in lines)


def test_no_changes_are_exit_code_0(folder: Path) -> None:
    done = edgepipe("plan", "new.yaml", "--against", "new.yaml", "--output", "json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    plan = json.loads(done.stdout)
    assert (plan["changed"], plan["states"], plan["rights"], plan["reruns"]) == (False, [], [], [])
    assert plan["kept"] == ["label", "transform", "train"]
    assert plan["cost"]["total"] == pytest.approx(sum(item["cost"] for item in plan["cost"]["items"]))


def test_of_two_long_values_the_difference_is_shown(folder: Path) -> None:
    for name, epochs in (("short", 20), ("long", 300)):
        params = f"params: {{epochs: {{type: integer, default: {epochs}}}}}\n"
        text = HEAD.replace("steps:", f"{params}steps:") + LABEL
        folder.joinpath(f"{name}.yaml").write_text(text, encoding="utf-8")
    done = edgepipe("plan", "long.yaml", "--against", "short.yaml", cwd=folder)
    (line,) = [line for line in done.stdout.decode().splitlines() if "params.epochs: " in line]
    assert line.endswith(': …s.input.params.epochs : 20 %}" -> …s.input.params.epochs : 300 %}"')


def test_against_nothing_everything_is_new(folder: Path) -> None:
    done = edgepipe("plan", "old.yaml", "--output", "json", cwd=folder)
    assert done.returncode == 4
    assert {change["action"] for change in json.loads(done.stdout)["states"]} == {"added"}


def test_a_plan_may_be_against_a_definition(folder: Path) -> None:
    assert edgepipe("compile", "new.yaml", "-o", "new.json", cwd=folder).returncode == 0
    done = edgepipe("plan", "new.yaml", "--against", "new.json", cwd=folder)
    assert done.returncode == 0
    assert b"A definition says nothing of scripts" in done.stdout


def test_files_alone_are_a_change(folder: Path) -> None:
    folder.joinpath("other").mkdir()
    for name in ("new.yaml", "code/train.py"):
        folder.joinpath("other", name).parent.mkdir(exist_ok=True)
        folder.joinpath("other", name).write_bytes(folder.joinpath(name).read_bytes() + b"\n")
    done = edgepipe("plan", "new.yaml", "--against", "other/new.yaml", "--output", "json", cwd=folder)
    assert done.returncode == 4
    assert json.loads(done.stdout)["reruns"] == [
        {"step": "train", "reason": "the files of asset_train_source changed"}
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--against", "deployed"], 5, "Give one with --region"),
        (["--against", "none.yaml"], 2, "cannot read none.yaml"),
        (["--against", "bad.yaml"], 3, "bad.yaml:6:3: P020"),
        (["--against", "broken.json"], 2, "no definition that `edgepipe compile` wrote"),
        (["--minutes", "label=3"], 2, "'label' starts no job; those that do: train"),
        (["--minutes", "train"], 2, "NAME=MINUTES"),
    ],
)
def test_what_cannot_be_planned_is_said(folder: Path, words: list[str], code: int, said: str) -> None:
    folder.joinpath("broken.json").write_text('{"States": {"Start": 1}}', encoding="utf-8")
    done = edgepipe("plan", "new.yaml", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()


def test_policies_are_json(folder: Path) -> None:
    done = edgepipe("policy", "new.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    written = json.loads(done.stdout)
    assert list(written["handlers"]) == ["label", "train", "transform"]
    assert all(each["Version"] == "2012-10-17" for each in written["handlers"]["train"].values())
    assert {each["handler"] for each in written["wide"]} == {"train"}
    assert edgepipe("policy", "bad.yaml", cwd=folder).returncode == 3
