"""A new pipeline compiles, whatever was answered; and nothing that is there is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines import scaffold
from pipelines.compiler import compile_text
from pipelines.scaffold import Answers, ScaffoldError

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS = Answers(name="dents", usecase="plant-a", device="thing/line-1", targets=("x86_64-cpu", "arm64-cpu"))


@pytest.mark.parametrize("kind", scaffold.KINDS)
@pytest.mark.parametrize("device", ["thing/a", "thinggroup/line:3"])
@pytest.mark.parametrize("targets", [("x86_64-cpu",), ("x86_64-cpu", "arm64-cpu")])
def test_what_is_written_compiles(kind: str, device: str, targets: tuple[str, ...]) -> None:
    files = scaffold.render(kind, Answers(name="a" * 40, usecase="b-2", device=device, targets=targets))
    compiled = compile_text(files["pipeline.yaml"], path="pipeline.yaml", exists=files.__contains__)
    assert [step.id.value for step in compiled.pipeline.steps] == [
        *("label", "transform", "train", "compile", "package", "publish", "deploy")
    ]
    assert "<<" not in files["pipeline.yaml"]
    assert files["pipeline.yaml"].startswith(f"# yaml-language-server: $schema={scaffold.SCHEMA_FILE}\n")
    assert scaffold.SCHEMA_FILE in files


def test_the_script_is_python() -> None:
    for kind in scaffold.KINDS:
        compile(scaffold.render(kind, ANSWERS)["training/train.py"], "train.py", "exec")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    tmp_path.joinpath("pipeline.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ScaffoldError, match=r"has pipeline\.yaml already"):
        scaffold.write(tmp_path, scaffold.render("classification", ANSWERS))
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.yaml"]
    assert tmp_path.joinpath("pipeline.yaml").read_text(encoding="utf-8") == "mine"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("", encoding="utf-8")
    with pytest.raises(ScaffoldError, match="cannot write"):
        scaffold.write(tmp_path / "file", {"a": "b"})


def test_a_person_is_asked_for_what_is_missing(tmp_path: Path) -> None:
    asked: list[str] = []
    said = {"called": "cups\n", "belong": "\n", "device": "thing/a\n"}

    def ask(question: str) -> str:
        asked.append(question)
        return next(answer for word, answer in said.items() if word in question)

    found = scaffold.settle({}, tmp_path, targets="x86_64-cpu", ask=ask)
    assert found == Answers(name="cups", usecase="my-factory", device="thing/a", targets=("x86_64-cpu",))
    assert len(asked) == 3
    given = {"name": "a", "usecase": "b", "device": "thing/c"}
    assert scaffold.settle(given, tmp_path, targets="arm64-cpu", ask=ask).name == "a"
    assert len(asked) == 3


def test_without_a_person_the_flags_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="give --usecase"):
        scaffold.settle({"name": "a"}, tmp_path, targets="x86_64-cpu", ask=None)
    found = scaffold.settle({"name": "a", "usecase": "b"}, tmp_path, targets="x86_64-cpu", ask=None)
    assert found.device == scaffold.DEVICE


@pytest.mark.parametrize(
    ("given", "targets", "said"),
    [
        ({"name": "A b"}, "x86_64-cpu", "--name must be small letters"),
        ({"name": "a" * 41}, "x86_64-cpu", "--name must be"),
        ({"name": "a: ['"}, "x86_64-cpu", "--name must be"),
        ({"device": "robot"}, "x86_64-cpu", "--device must be thing/NAME"),
        ({"device": "thing/a]\n  x: 1"}, "x86_64-cpu", "--device must be"),
        ({}, "abacus", "--targets must be some of x86_64-cpu"),
        ({}, ",", "--targets must be some of"),
    ],
)
def test_wrong_answers_are_refused(given: dict[str, str], targets: str, said: str, tmp_path: Path) -> None:
    answers = {"name": "a", "usecase": "b", "device": "thing/c", **given}
    with pytest.raises(ScaffoldError, match=said):
        scaffold.settle(answers, tmp_path, targets=targets, ask=None)


@pytest.mark.parametrize(
    ("folder", "name"), [("My Parts!", "my-parts"), ("3d", "my-pipeline"), ("é", "my-pipeline")]
)
def test_a_folders_name_is_suggested(folder: str, name: str, tmp_path: Path) -> None:
    assert scaffold.suggest(tmp_path / folder)["name"] == name
