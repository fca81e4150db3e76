"""Each folder holds a spec and its whole outcome: asl.json, or errors.txt where it has mistakes.

`pytest --update-golden` rewrites the outcomes; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import drawing, mermaid
from pipelines.compiler import compile_text
from pipelines.diagnostics import SpecError

FOLDER = Path(__file__).parent
CASES = sorted(path.parent.name for path in FOLDER.glob("*/pipeline.yaml"))


def compile_case(case: str) -> dict[str, str]:
    """Return the outcome's files. Scripts called missing.py do not exist."""
    text = FOLDER.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8")
    try:
        compiled = compile_text(text, path="pipeline.yaml", exists=lambda name: name != "missing.py")
    except SpecError as error:
        return {"errors.txt": f"{error}\n"}
    return {"asl.json": compiled.definition, "graph.mmd": mermaid.render(drawing.plan(compiled))}


@pytest.mark.parametrize("case", CASES)
def test_outcome_is_the_golden_one(case: str, request: pytest.FixtureRequest) -> None:
    outcome = compile_case(case)
    folder = FOLDER / case
    if request.config.getoption("--update-golden"):
        for old in ("asl.json", "graph.mmd", "errors.txt"):
            folder.joinpath(old).unlink(missing_ok=True)
        for name, text in outcome.items():
            folder.joinpath(name).write_text(text, encoding="utf-8", newline="\n")
    golden = {
        path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".yaml"
    }
    assert golden == outcome


def test_bad_cases_are_named_so() -> None:
    failing = {case for case in CASES if (FOLDER / case / "errors.txt").exists()}
    assert failing == {case for case in CASES if case.startswith("bad-")}
