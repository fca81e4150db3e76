"""What the README shows is what edgepipe does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pipelines import completion, drawing, svg
from pipelines.assets import exists_beside, read_spec
from pipelines.compiler import compile_text
from verbs import command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "cookies" / "pipeline.yaml"


def block(language: str, containing: str) -> str:
    """Return the text of the first fenced block of a language that contains something."""
    fenced = README.split("```")[1::2]
    blocks = [text.removeprefix(f"{language}\n") for text in fenced if text.startswith(f"{language}\n")]
    return next(text for text in blocks if containing in text)


def test_the_spec_compiles() -> None:
    compiled = compile_text(block("yaml", "steps:"), path="pipeline.yaml")
    assert [step.id.value for step in compiled.pipeline.steps][-1] == "deploy"


def test_the_mistake_is_reported_as_shown(tmp_path: Path) -> None:
    spec = tmp_path / "pipeline.yaml"
    spec.write_text(block("yaml", "steps:").replace("hyperparameters:", "hyperparamters:"), encoding="utf-8")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "train.py").touch()
    command = [sys.executable, "-m", "cli", "validate", "pipeline.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    shown = block("", "$ edgepipe validate").split("\n", 1)[1]
    assert done.stderr == shown


def test_the_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_picture_is_of_todays_example() -> None:
    compiled = compile_text(read_spec(EXAMPLE), path=EXAMPLE.name, exists=exists_beside(EXAMPLE))
    assert (ROOT / "docs" / "cookies.svg").read_text(encoding="utf-8") == svg.render(drawing.plan(compiled))


def test_every_verb_is_told_of() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*.md")))
    verbs = [verb.name for verb in completion.read(command.parser_of(""))]
    assert {"validate", "local"} <= set(verbs)
    assert [verb for verb in verbs if not re.search(rf"`(edgepipe )?{verb}[ `]", told)] == []


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
