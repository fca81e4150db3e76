"""Any text gives a definition or mistakes with places; the hostile ones in bounded processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import diagnostics, source
from pipelines.compiler import compile_text
from pipelines.diagnostics import SpecError
from tests.bad_specs.case import GOOD
from tests.fuzz.limited import Validator
from tests.fuzz.mutations import LEAVES, WORDS, edited, specs

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = settings(max_examples=20_000)


def outcome(text: str) -> str:
    """Compile a text, check that what comes out can be used, and return it."""
    try:
        compiled = compile_text(text, path="x.yaml")
    except SpecError as error:
        return mistakes(error, source.normalise(text))
    json.loads(compiled.definition)
    return compiled.definition


def mistakes(error: SpecError, text: str) -> str:
    assert error.diagnostics
    lines = text.split("\n")
    for item in error.diagnostics:
        first, last = (item.span.line, item.span.column), (item.span.end_line, item.span.end_column)
        assert first >= (1, 1)
        assert first < last or item.span == diagnostics.START  # it belongs to the whole file
        assert item.span.end_line <= len(lines)
        assert item.span.column <= len(lines[item.span.line - 1]) + 1
        assert item.message.isprintable()
    for form in diagnostics.RENDERERS:
        diagnostics.render(error.diagnostics, path="x.yaml", text=text, form=form)
    return str(error)


@given(specs())
def test_a_mutated_spec_compiles_or_has_mistakes(text: str) -> None:
    assert outcome(text) == outcome(text)


@given(edited())
def test_an_edited_spec_compiles_or_has_mistakes(text: str) -> None:
    outcome(text)


@pytest.mark.soak
@LONG
@given(specs() | edited() | st.text())
def test_many_specs_compile_or_have_mistakes(text: str) -> None:
    outcome(text)


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Validator]:
    folder = tmp_path_factory.mktemp("fuzz")
    folder.joinpath("train.py").touch()
    with Validator(folder) as running:
        yield running


STEPS = "version: 1\nname: x\nusecase: y\nsteps:\n"
LABEL = '  label: {method: folders, dataset: "s3://bucket/", labels: [a, b]}\n'
FIELDS = [
    ("name: cookies", "name: @"),
    ("dataset: ${{ params.dataset }}", "dataset: @"),
    ("normal, anomaly", "normal, @"),
    ("script: train.py", "script: @"),
    ("ml.m5.xlarge", "@"),
    ('"1.4-2"', "@"),
    ('">= 0.9"', "@"),
    ("com.example.cookies", "@"),
    ("thing/station-1", "@"),
    ("default: 30", "default: @"),
    ("minimum: 1", "minimum: @"),
    ("local_server", "@"),
    ("{epochs:", "{@:"),
    ("by: hash", "by: @"),
    ("script: train.py", "timeout: @"),
    ("script: train.py", "when: @"),
    ("script: train.py", "for_each: @"),
    ("script: train.py", "needs: [@]"),
    ("script: train.py", "uses: @"),
]
FILLINGS = {
    "letters": "a" * 400_000,
    "letters and dashes": "a-" * 200_000 + "!",
    "digits": "9" * 400_000,
    "dots": "a." * 200_000 + "!",
    "references": '"' + "${{ run.id }}" * 30_000 + '"',
    "openings": '"' + "${{" * 130_000 + '"',
    "closings": '"' + "}}" * 200_000 + '"',
    "opened paths": '"${{ a' + ".b" * 200_000 + '"',
    "brackets": '"' + "(" * 400_000 + '"',
    "nots": '"' + "not " * 100_000 + '"',
    "spaces": '"' + " " * 400_000 + 'x"',
    "quotes": "'" + "''" * 200_000 + "'",
    "escapes": '"' + "\\x41" * 100_000 + '"',
    "markers": '"' + "${a}" * 100_000 + '"',
    "JSONata": '"' + "{% " * 130_000 + '"',
    "operators": '"' + ">= " * 130_000 + '"',
    "slashes": "s3://" + "b/" * 190_000,
    "family of emoji": "\U0001f468\u200d" * 90_000,
    "combining marks": "e" + "\u0301" * 190_000,
    "a list": "[" + "1, " * 15_000 + "]",
    "a list of one word": "[" + "a, " * 15_000 + "]",
    "a mapping": "{" + ", ".join(f"k{n}: 1" for n in range(9_000)) + "}",
}
WIDE = {
    "steps that need a stranger": STEPS
    + "".join(f"  a{n}: {{uses: label, needs: [b{n}]}}\n" for n in range(5000)),
    "steps of one kind": STEPS + LABEL + "".join(f"  t{n}: {{uses: transform}}\n" for n in range(998)),
    "steps that need all others": STEPS
    + "".join(
        f"  a{n}: {{uses: label, needs: [{', '.join(f'a{m}' for m in range(100))}]}}\n" for n in range(190)
    ),
    "steps that train on each": STEPS
    + LABEL
    + "".join(
        f"  t{n}: {{uses: transform}}\n  m{n}: {{uses: train, script: train.py}}\n" for n in range(490)
    ),
    "approvals": STEPS + "".join(f"  a{n}: {{uses: approve, message: x}}\n" for n in range(1190)),
    "approvals above one that the first needs": STEPS
    + "  z: {uses: approve, message: x, needs: [a1188]}\n"
    + "".join(f"  a{n}: {{uses: approve, message: x}}\n" for n in range(1189)),
    "models that could each be meant": STEPS
    + LABEL
    + "  transform:\n  m0: {uses: train, script: train.py}\n"
    + "".join(f"  m{n}: {{uses: train, script: train.py, needs: [m{n - 1}]}}\n" for n in range(1, 490))
    + "".join(f"  c{n}: {{uses: compile, targets: [x86_64-cpu]}}\n" for n in range(490)),
    "a chain of needs": STEPS
    + LABEL
    + "".join(f"  t{n}: {{uses: transform, needs: [t{n + 1}]}}\n" for n in range(990)),
    "keys that nobody knows": STEPS + "  label: {" + ", ".join(f"dataset{n}: 1" for n in range(9000)) + "}\n",
    "parameters": "params: {"
    + ", ".join(f"p{n}: {{type: integer, default: x}}" for n in range(3000))
    + "}\n"
    + STEPS
    + LABEL,
    "references to strangers": STEPS
    + "  train:\n    hyperparameters:\n"
    + "".join(f'      k{n}: "${{{{ steps.s{n}.x }}}}"\n' for n in range(9000)),
    "one key again and again": "a: 1\n" * 9_900,
    "anchors": "".join(f"a{n}: &a{n} [x]\n" for n in range(4900)),
    "aliases": "a: &a x\n" + "".join(f"b{n}: *a\n" for n in range(4900)),
    "one long line of text": "a: " + "x " * 490_000,
    "a folded text": "a: >\n" + "  x\n\n" * 150_000,
    "comments": "# x\n" * 240_000,
    "empty lines": "\n" * 999_000,
    "carriage returns": "\r" * 999_000,
    "document marks": "---\n" * 240_000,
    "directives": "%YAML 1.2\n" * 90_000,
    "question marks": "? " * 490_000,
    "exclamation marks": "!" * 990_000,
    "anchors without values": "&a " * 330_000,
    "stars": "*" * 990_000,
    "open quotes": '"' * 999_999,
    "open brackets and braces": "[{" * 490_000,
}


@pytest.mark.parametrize("text", WIDE.values(), ids=WIDE)
def test_a_wide_spec_stays_in_bounds(validator: Validator, text: str) -> None:
    assert validator.validate(text.encode()) in (0, 3)


def broken(validator: Validator, filling: str, fields: list[tuple[str, str]]) -> dict[str, int]:
    """Return what a filling breaks: the field, and the exit code or signal."""
    found = {}
    for old, new in fields:
        assert old in GOOD
        code = validator.validate(GOOD.replace(old, new.replace("@", filling), 1).encode())
        if code not in (0, 3):
            found[new] = code
    return found


@pytest.mark.parametrize("name", FILLINGS)
def test_a_filled_field_stays_in_bounds(validator: Validator, name: str) -> None:
    """Each filling in every fifth field, so that all fields and all fillings have their turn."""
    first = list(FILLINGS).index(name) % 5
    assert broken(validator, FILLINGS[name], FIELDS[first::5]) == {}


@pytest.mark.soak
@pytest.mark.parametrize("name", FILLINGS)
def test_any_filled_field_stays_in_bounds(validator: Validator, name: str) -> None:
    assert broken(validator, FILLINGS[name], FIELDS) == {}


BYTES = st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-16"))


@settings(max_examples=60)
@given(BYTES)
def test_any_bytes_stay_in_bounds(validator: Validator, data: bytes) -> None:
    assert validator.validate(data) in (0, 3)


def repeated(unit: str, count: int, prefix: str, suffix: str) -> bytes:
    return f"{prefix}{unit * min(count, 900_000 // max(1, len(unit)))}{suffix}".encode("utf-8", "replace")


REPEATED = st.builds(
    repeated,
    st.lists(
        LEAVES.map(str) | WORDS | st.sampled_from(list("[]{}:,-?&*!|>%@`'\"# \n\t")), min_size=1, max_size=6
    ).map("".join),
    st.sampled_from([1, 10, 1_000, 100_000, 900_000]),
    st.sampled_from(["", "a: ", STEPS, STEPS + LABEL, GOOD, "[", '"', "a: |\n  "]),
    st.sampled_from(["", "\n", "]", '"', "\n" + LABEL]),
)


@settings(max_examples=40)
@given(REPEATED)
def test_anything_repeated_stays_in_bounds(validator: Validator, data: bytes) -> None:
    assert validator.validate(data) in (0, 3)


@pytest.mark.soak
@settings(max_examples=3_000)
@given(REPEATED | BYTES | specs().map(lambda text: text.encode("utf-8", "replace")))
def test_many_hostile_inputs_stay_in_bounds(validator: Validator, data: bytes) -> None:
    assert validator.validate(data) in (0, 3)
