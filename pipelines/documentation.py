"""Writes docs/spec.md from schemas, kinds and diagnostics: `python -m pipelines.documentation`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import availability, explanation, schema
from pipelines.kinds import PER_TARGET, STEP_KINDS, StepKind
from pipelines.spec import COMMON_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipelines.schema import Schema

GUIDES = Path(__file__).resolve().parent / "guides"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "spec.md"

_TYPES = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}
_SCALARS = {"string", "integer", "number", "boolean"}
_COMMON = schema.read("common.schema.json")["$defs"]
_DURATION = _COMMON["duration"]["pattern"]
_HEAD = ("| key | value | default | what it is |", "|---|---|---|---|")


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8", newline="\n")


def render() -> str:
    """Return the whole page."""
    parts = (
        _beginning(),
        _guide("wiring.md"),
        _parameters(),
        _top(),
        _common(),
        *(_kind(kind) for kind in STEP_KINDS.values()),
        _diagnostics(),
    )
    return "".join(f"{line}\n" for part in parts for line in part)


def _beginning() -> Iterator[str]:
    yield "# The spec language"
    yield ""
    yield "<!-- Written by `python -m pipelines.documentation` from the schemas; edit those. -->"
    yield ""
    yield "A pipeline is one YAML file. `edgepipe validate` shows every mistake in it at its place,"
    yield "`edgepipe init` writes one to begin with, and `edgepipe schema` prints the JSON Schema with which"
    yield "an editor completes it."
    yield ""
    yield "```yaml"
    yield from _guide("example.yaml")
    yield "```"
    yield ""


def _guide(name: str) -> Iterator[str]:
    yield from GUIDES.joinpath(name).read_text(encoding="utf-8").splitlines()


def _parameters() -> Iterator[str]:
    yield "## Parameters"
    yield ""
    yield "What a run may be given: `edgepipe run SPEC --param NAME=VALUE`. A value is checked against its"
    yield "parameter's type and bounds before the run starts, and once more in its first state."
    yield ""
    yield from _table(schema.load("pipeline.schema.json")["properties"]["params"]["additionalProperties"])


def _top() -> Iterator[str]:
    whole = schema.load("pipeline.schema.json", opaque=("steps",))
    shown = {name: rule for name, rule in whole["properties"].items() if name not in ("params", "steps")}
    yield "## The top level"
    yield ""
    yield "Besides `params` and `steps`:"
    yield ""
    yield from _table({**whole, "properties": shown})


def _common() -> Iterator[str]:
    keys = schema.load("steps/custom.schema.json")["properties"]
    yield "## What every step takes"
    yield ""
    yield "`for_each` and `max_parallel` are for kinds that say so below."
    yield ""
    yield from _table({"properties": {name: rule for name, rule in keys.items() if name in COMMON_KEYS}})
    yield "## The kinds of steps"
    yield ""


def _kind(kind: StepKind) -> Iterator[str]:
    whole = schema.load(kind.schema)
    own = {name: rule for name, rule in whole["properties"].items() if name not in COMMON_KEYS}
    yield f"### `{kind.name}`"
    yield ""
    yield whole["description"]
    yield ""
    yield from _facts(kind)
    yield ""
    yield from _table({**whole, "properties": own})


def _facts(kind: StepKind) -> Iterator[str]:
    taken = _listed(f"`{name}`" for name in kind.takes)
    yield f"- takes: {taken or ('what `takes` says' if kind.own_function else 'nothing')}"
    gives = [f"`{kind.gives}`{' for each target' if kind.gives in PER_TARGET else ''}"] if kind.gives else []
    reports = [f"`{name}` ({type_name})" for name, type_name in kind.reports.items()]
    said = "what `gives` and `outputs` say" if kind.own_function else "nothing"
    yield f"- gives: {_listed([*gives, *reports]) or said}"
    yield f"- time: {_duration(kind.timeout_seconds)}, unless `timeout` says otherwise"
    if kind.each:
        yield "- may have `for_each`"
    yield from _unavailable(kind.name)


def _unavailable(kind: str) -> Iterator[str]:
    """Say what is checked and compiled, but refused by `edgepipe run`."""
    if kind in availability.KINDS:
        yield f"- cannot be run yet: {availability.KINDS[kind]}"
    for key, known in availability.VALUES.get(kind, {}).items():
        values = sorted(set(_choices(schema.load(STEP_KINDS[kind].schema)["properties"][key])) - known)
        if values:
            yield f"- `{key}` cannot be run yet with {_listed(f'`{value}`' for value in values)}"
    keys = sorted(availability.KEYS.get(kind, ()))
    if keys:
        yield f"- cannot be run yet with {_listed(f'`{key}`' for key in keys)}"


def _choices(rule: Schema) -> list[str]:
    return [str(each) for each in rule.get("enum") or rule.get("items", {}).get("enum", ())]


def _diagnostics() -> Iterator[str]:
    yield "## Diagnostics"
    yield ""
    yield "`edgepipe explain CODE` shows why, with a bad and a good example."
    yield ""
    yield "| code | meaning |"
    yield "|---|---|"
    for page in map(explanation.read, explanation.codes("P")):
        yield f"| {page.code} | {_cell(page.title)} |"


def _table(whole: Schema) -> Iterator[str]:
    rows = list(_rows(whole, ""))
    if rows:
        yield from (*_HEAD, *rows, "")


def _rows(whole: Schema, prefix: str) -> Iterator[str]:
    """Yield a row for each key and for the keys inside it, as `split.train` and `waves[].name`."""
    for name, rule in whole.get("properties", {}).items():
        default = "required" if name in whole.get("required", ()) else _default(rule)
        about = _cell(rule.get("description", ""))
        yield f"| `{prefix}{name}` | {_cell(_value(rule))} | {default} | {about} |"
        yield from _inner(rule, f"{prefix}{name}")
    for each in whole.get("oneOf", ()):
        yield from _rows(each, prefix)


def _inner(rule: Schema, path: str) -> Iterator[str]:
    yield from _rows(rule, f"{path}.")
    extra, items = rule.get("additionalProperties"), rule.get("items")
    if isinstance(extra, dict) and "properties" in extra:
        yield from _rows(extra, f"{path}.NAME.")
    if isinstance(items, dict):
        yield from _rows(items, f"{path}[].")


def _value(rule: Schema) -> str:
    """Say in words what may stand there."""
    if "anyOf" in rule:
        plain = [_value(each) for each in rule["anyOf"] if not _is_reference(each)]
        references = [", or a reference"] if len(plain) < len(rule["anyOf"]) else []
        return "".join([" or ".join(dict.fromkeys(plain)), *references])
    if "const" in rule or "enum" in rule:
        return ", ".join(f"`{each}`" for each in rule.get("enum", [rule.get("const")]))
    if rule.get("pattern") == _DURATION:
        return "a time: `30s`, `30m`, `2h`, `14d`"
    if "patternErrorMessage" in rule:
        return str(rule["patternErrorMessage"])
    kinds = rule.get("type", "anything")
    several = [kinds] if isinstance(kinds, str) else kinds
    words = (
        "one value" if set(several) >= _SCALARS else " or ".join(_TYPES.get(each, each) for each in several)
    )
    return f"{words}{' or a list' if 'array' in several[1:] else _inside(rule)}{_bounds(rule)}"


def _is_reference(rule: Schema) -> bool:
    return "pattern" in rule and rule["pattern"] == _COMMON["reference"]["pattern"]


def _inside(rule: Schema) -> str:
    """Say what a list or mapping holds, where its keys have no rows of their own."""
    items, extra = rule.get("items"), rule.get("additionalProperties")
    if isinstance(items, dict) and items.get("type") != "object":
        return f", each {_value(items)}"
    if isinstance(extra, dict) and not rule.get("properties") and "properties" not in extra:
        return f": names, each with {_value(extra)}"
    return ""


def _bounds(rule: Mapping[str, Any]) -> str:
    known = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
    found = [f"{word} {rule[key]:,}" for key, word in known if key in rule]
    return f" {' '.join(found)}" if found else ""


def _default(rule: Schema) -> str:
    if "default" not in rule:
        return ""
    return f"`{_cell(json.dumps(rule['default'], ensure_ascii=False).replace(chr(34), ''))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _duration(seconds: int) -> str:
    units = ((86400, "day"), (3600, "hour"), (60, "minute"))
    size, name = next((unit for unit in units if seconds % unit[0] == 0), (1, "second"))
    count = seconds // size
    return f"{count} {name}{'s' if count > 1 else ''}"


if __name__ == "__main__":
    main()
