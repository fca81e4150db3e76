"""`init`, `schema`, `completion` and `validate` of several specs, as processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.functional.test_cli import EDGEPIPE, HEAD, LABEL, ROOT, edgepipe
from tests.functional.test_run import draw_dataset, run

INIT = ["init", "new", "--name", "dents", "--usecase", "plant-a"]
COMPLETE = """
{script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_edgepipe
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_a_new_pipeline_validates(tmp_path: Path) -> None:
    done = edgepipe(*INIT, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    written = done.stdout.decode().split()
    assert written[0] == str(Path("new/pipeline.yaml"))
    assert all(tmp_path.joinpath(path).is_file() for path in written)
    assert edgepipe("validate", "new/pipeline.yaml", cwd=tmp_path).returncode == 0
    again = edgepipe(*INIT, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, b"")


def test_init_without_a_terminal_asks_nothing(tmp_path: Path) -> None:
    done = edgepipe("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"give --name and --usecase" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")
def test_init_on_a_terminal_asks_three_questions(tmp_path: Path) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"cups\n\nthing/line-1\n")
    command = [*EDGEPIPE, "init"]
    done = subprocess.run(command, cwd=tmp_path, stdin=terminal, capture_output=True, check=False)
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == 0
    assert done.stderr.count(b"? [") == 3
    spec = yaml.safe_load(tmp_path.joinpath("pipeline.yaml").read_text(encoding="utf-8"))
    assert (spec["name"], spec["usecase"], spec["steps"]["deploy"]["targets"]) == (
        *("cups", "my-factory"),
        ["thing/line-1"],
    )


def test_a_new_pipeline_runs(tmp_path: Path) -> None:
    assert edgepipe(*INIT, cwd=tmp_path).returncode == 0
    dataset = draw_dataset(tmp_path / "dataset")
    result = run(tmp_path, "--param", f"dataset={dataset}", spec=tmp_path / "new" / "pipeline.yaml")
    assert result.code == 0, result.err
    assert result.record()["status"] == "SUCCEEDED"


def test_the_schema_is_one_document(tmp_path: Path) -> None:
    whole = json.loads(edgepipe("schema", cwd=tmp_path).stdout)
    assert whole["$schema"].startswith("https://json-schema.org/")
    assert json.loads(edgepipe("schema", "train", cwd=tmp_path).stdout)["title"] == "A train step"
    done = edgepipe("schema", "trian", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Did you mean 'train'?" in done.stderr


def complete(words: str, cwd: Path) -> list[str]:
    script = edgepipe("completion", "bash", cwd=cwd).stdout.decode()
    program = COMPLETE.format(script=script, words=words)
    done = subprocess.run(["bash", "-c", program], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("edgepipe va", ["validate"]),
        ("edgepipe comp", ["compile", "completion"]),
        ("edgepipe graph --format ''", ["mermaid", "svg"]),
        ("edgepipe graph --format s", ["svg"]),
        ("edgepipe graph --fo", ["--format"]),
        ("edgepipe completion ''", ["bash", "zsh", "fish"]),
        ("edgepipe plan pi", ["pipeline.yaml"]),
        ("edgepipe plan pipeline.yaml --against pi", ["pipeline.yaml"]),
    ],
)
def test_bash_completes(words: str, found: list[str], tmp_path: Path) -> None:
    tmp_path.joinpath("pipeline.yaml").write_text("", encoding="utf-8")
    assert complete(words, tmp_path) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb(shell: str, tmp_path: Path) -> None:
    usage = edgepipe("--help", cwd=tmp_path).stdout.decode()
    verbs = re.findall(r"^    (\w+) ", usage, re.MULTILINE)
    script = edgepipe("completion", shell, cwd=tmp_path).stdout.decode()
    assert len(verbs) >= 9
    assert all(re.search(rf"\b{verb}\b", script) for verb in verbs)
    if shell != "fish":
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_several_specs_are_validated_at_once(tmp_path: Path) -> None:
    tmp_path.joinpath("good.yaml").write_text(HEAD + LABEL, encoding="utf-8")
    tmp_path.joinpath("bad.yaml").write_text(HEAD + LABEL + "  transfrom: {}\n", encoding="utf-8")
    done = edgepipe("validate", "bad.yaml", "good.yaml", "bad.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count(b"P020"), done.stderr.count(b"no mistakes")) == (3, 2, 1)
    assert edgepipe("validate", "good.yaml", "good.yaml", cwd=tmp_path).returncode == 0
    done = edgepipe("validate", "good.yaml", "good.yaml", "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")


def test_the_hook_calls_a_verb_that_there_is() -> None:
    (hook,) = yaml.safe_load(ROOT.joinpath(".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].split() == ["edgepipe", "validate"]
    assert hook["language"] == "python"
    assert re.search(hook["files"], "examples/cookies/pipeline.yaml")
    assert not re.search(hook["files"], "usecases/cookie-factory.yaml")
