"""Does a node have the shape a JSON Schema asks for? Reports every mistake at its place, and reads the value.

Our own checker of the part of JSON Schema 2020-12 that schemas/ uses, because a value must know its place, a
plain `1.10` must stay text where text is wanted, and importing jsonschema takes longer than compiling.
A contract test holds it against jsonschema itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelines import references, values
from pipelines import schema as schema_files
from pipelines.diagnostics import Diagnostic, did_you_mean, near_miss
from pipelines.nodes import MappingNode, Node, ScalarNode, SequenceNode
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.schema import Schema
    from pipelines.values import Json

KEYWORDS = frozenset(
    [
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "anyOf",
    ]
)
ANNOTATIONS = frozenset(
    ["$schema", "$id", "$defs", "title", "description", "default", "examples", "patternErrorMessage"]
)

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_ANY = frozenset(_WORDS)

OPAQUE = schema_files.OPAQUE


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A value with references in it, and the JSON types that its place takes."""

    node: ScalarNode
    parts: tuple[references.Part, ...]
    expected: frozenset[str]


@dataclass(kw_only=True)
class Shape:
    """What checking a node found: its value with defaults filled in, its references, its mistakes."""

    value: Json = None
    slots: list[Slot] = field(default_factory=list)
    meant: dict[tuple[int, str], Node] = field(default_factory=dict)
    """By mapping (its id) and key: the node under a misspelt key that was taken for that one."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def report(self, code: str, message: str, node: Node, hint: str | None = None) -> None:
        """Add a mistake."""
        self.diagnostics.append(Diagnostic(code=code, message=message, span=node.span, hint=hint))

    def take(self, other: Shape) -> Json:
        """Take over what a part of the node gave, and return its value."""
        self.slots += other.slots
        self.diagnostics += other.diagnostics
        self.meant.update(other.meant)
        return other.value

    def find(self, node: Node | None, *path: str) -> Node | None:
        """Follow keys down through mappings, misspelt ones too, so that one slip is one mistake."""
        for key in path:
            found = node.get(key) if isinstance(node, MappingNode) else None
            node = found or self.meant.get((id(node), key))
        return node


def check(node: Node, schema: Schema, name: str) -> Shape:
    """Check a node against a resolved schema; `name` is what messages call it."""
    if schema is OPAQUE:
        return Shape()
    if "anyOf" in schema:
        return _check_any_of(node, schema, name)
    match node:
        case ScalarNode():
            return _check_scalar(node, schema, name)
        case SequenceNode():
            return _check_sequence(node, schema, name)
        case MappingNode():
            return _check_mapping(node, schema, name)


def _check_any_of(node: Node, schema: Schema, name: str) -> Shape:
    """Try a reference first where one is offered; a mistake is told in terms of the last, plain form."""
    *others, plain = schema["anyOf"]
    if isinstance(node, ScalarNode) and references.OPENING in node.text:
        return _slot(node, _types(plain))
    found = [check(node, each, name) for each in (*others, plain)]
    fitting = [shape for shape, each in zip(found, schema["anyOf"], strict=True) if _admits(each, node)]
    return next((shape for shape in found if not shape.diagnostics), (fitting or found)[-1])


def _admits(schema: Schema, node: Node) -> bool:
    """Say whether a schema could take a node of this sort at all."""
    sorts = {"object": MappingNode, "array": SequenceNode}
    return any(isinstance(node, sorts.get(each, ScalarNode)) for each in _types(schema))


def _slot(node: ScalarNode, expected: frozenset[str]) -> Shape:
    parts = references.parse(node)
    return Shape(value=node.text, slots=[Slot(node=node, parts=parts, expected=expected)])


def _types(schema: Schema) -> frozenset[str]:
    found = schema.get("type", _ANY)
    return frozenset([found] if isinstance(found, str) else found)


def _check_scalar(node: ScalarNode, schema: Schema, name: str) -> Shape:
    if not schema and references.OPENING in node.text:
        return _slot(node, _ANY)
    expected = _types(schema)
    shape = Shape(value=_scalar_value(node, expected))
    if not _check_type(shape, node, schema, name) or not _check_number(shape, node, expected, name):
        return shape
    for keyword, judge in _SCALAR_CHECKS.items():
        problem = judge(shape.value, schema[keyword], schema) if keyword in schema else None
        if problem:
            shape.report("P013", f"{name} {problem[0]}", node, problem[1])
            shape.value = None
            break
    return shape


def _scalar_value(node: ScalarNode, expected: frozenset[str]) -> values.Scalar:
    """Read the scalar as its place asks: where only text may stand, a plain 1.10 or on is text."""
    wants_text = "string" in expected and not values.fits(values.type_name(node.value), expected)
    return node.text if wants_text and node.value is not None else node.value


def _check_type(shape: Shape, node: Node, schema: Schema, name: str) -> bool:
    expected = _types(schema)
    if values.fits(values.type_name(shape.value), expected):
        return True
    shape.report("P012", f"{name} must be {_wanted(expected)}, not {describe(node)}", node)
    shape.value = None
    return False


def _check_number(shape: Shape, node: ScalarNode, expected: frozenset[str], name: str) -> bool:
    """Refuse what is meant as a number and would go on as text, where a place takes both."""
    if not isinstance(shape.value, str) or "number" not in expected or not node.is_beyond_json:
        return True
    hint = "If it is meant as text, put it into quotes."
    shape.report("P012", f"{name} cannot be '{shorten(node.text)}': JSON has no such number", node, hint)
    shape.value = None
    return False


def _wanted(expected: frozenset[str]) -> str:
    """Say what types a place takes; a whole number is a number."""
    told = expected - {"integer"} if "number" in expected else expected
    *others, last = [word for name, word in _WORDS.items() if name in told]
    return f"{', '.join(others)} or {last}" if others else last


def describe(node: Node) -> str:
    """Say what stands there instead."""
    if isinstance(node, MappingNode):
        return _WORDS["object"]
    if isinstance(node, SequenceNode):
        return _WORDS["array"]
    return _WORDS["null"] if node.value is None else f"'{shorten(node.text)}'"


Problem = tuple[str, str | None] | None


def _judge_enum(value: Json, known: list[str], _schema: Schema) -> Problem:
    if value in known:
        return None
    listed = ", ".join(str(each) for each in known)
    said = did_you_mean(str(value), [str(each) for each in known])
    return f"cannot be '{shorten(str(value))}'; it is one of {listed}", said


def _judge_const(value: Json, only: Json, _schema: Schema) -> Problem:
    return None if value == only else (f"must be {only}, not '{shorten(str(value))}'", None)


def _judge_pattern(value: Json, pattern: str, schema: Schema) -> Problem:
    if not isinstance(value, str) or schema_files.matches(pattern, value):
        return None
    return f"must be {schema['patternErrorMessage']}, not '{shorten(value)}'", None


def _judge_length(value: Json, limit: int, _schema: Schema) -> Problem:
    if not isinstance(value, str) or len(value) <= limit:
        return None
    return f"'{shorten(value)}' is longer than {limit} characters", None


def _judge_short(value: Json, limit: int, _schema: Schema) -> Problem:
    return (
        (f"must have at least {limit} characters", None)
        if isinstance(value, str) and len(value) < limit
        else None
    )


def _bound(fails: Callable[[float, float], bool], words: str) -> Callable[[Json, float, Schema], Problem]:
    def judge(value: Json, limit: float, _schema: Schema) -> Problem:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return (f"must be {words} {limit}, not {value}", None) if number and fails(value, limit) else None  # type: ignore[arg-type]

    return judge


_SCALAR_CHECKS: Mapping[str, Callable[..., Problem]] = {
    "enum": _judge_enum,
    "const": _judge_const,
    "minLength": _judge_short,
    "maxLength": _judge_length,
    "pattern": _judge_pattern,
    "minimum": _bound(lambda value, limit: value < limit, "at least"),
    "maximum": _bound(lambda value, limit: value > limit, "at most"),
    "exclusiveMinimum": _bound(lambda value, limit: value <= limit, "more than"),
    "exclusiveMaximum": _bound(lambda value, limit: value >= limit, "less than"),
}


def _check_sequence(node: SequenceNode, schema: Schema, name: str) -> Shape:
    shape = Shape(value=[])
    if not _check_type(shape, node, schema, name):
        return shape
    item = schema.get("items", {})
    shape.value = [shape.take(check(each, item, f"an entry of {name}")) for each in node.items]
    if len(node.items) < schema.get("minItems", 0):
        shape.report("P013", f"{name} must have at least {_entries(schema['minItems'])}", node)
    if len(node.items) > schema.get("maxItems", len(node.items)):
        shape.report("P013", f"{name} may have at most {_entries(schema['maxItems'])}", node)
    if schema.get("uniqueItems"):
        _check_unique(shape, node, name)
    return shape


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _check_unique(shape: Shape, node: SequenceNode, name: str) -> None:
    seen: set[str] = set()
    for item in node.items:
        text = item.text if isinstance(item, ScalarNode) else repr(item)
        if text in seen:
            shape.report("P013", f"{name} names '{shorten(text)}' twice", item, "Keep one of the two.")
        seen.add(text)


def _check_mapping(node: MappingNode, schema: Schema, name: str) -> Shape:
    shape = Shape(value={})
    if not _check_type(shape, node, schema, name):
        return shape
    found = {key.text: value for key, value in _check_entries(shape, node, schema, name)}
    shape.value = {**_order_defaults(schema, found), **found}
    for key in schema.get("required", ()):
        if shape.find(node, key) is None:
            shape.report("P011", f"{name} has no '{key}'", node, _advise(schema, key))
    if len(node.entries) < schema.get("minProperties", 0):
        shape.report("P013", f"{name} must not be empty", node)
    if len(node.entries) > schema.get("maxProperties", len(node.entries)):
        shape.report("P013", f"{name} may have at most {_entries(schema['maxProperties'])}", node)
    return shape


def _order_defaults(schema: Schema, found: dict[str, Json]) -> dict[str, Json]:
    """Put values in the schema's order, with the defaults of what the author left out."""
    known: Schema = schema.get("properties", {})
    ordered: dict[str, Json] = {}
    for key, rule in known.items():
        if key in found:
            ordered[key] = found[key]
        elif "default" in rule:
            ordered[key] = rule["default"]
    return ordered


def _advise(schema: Schema, key: str) -> str | None:
    examples = schema.get("properties", {}).get(key, {}).get("examples")
    return f"Add one, such as '{key}: {examples[0]}'." if examples else None


def _check_entries(
    shape: Shape, node: MappingNode, schema: Schema, name: str
) -> Iterator[tuple[ScalarNode, Json]]:
    known: Schema = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    present = {key.text for key, _ in node.entries}
    absent = [key for key in known if key not in present]
    for key, value in node.entries:
        label = f"'{shorten(key.text)}'"
        if key.text in known:
            yield key, shape.take(check(value, known[key.text], label))
        elif rest is False:
            near = near_miss(key.text, known)
            shape.report("P010", f"{name} has no key {label}", key, _suggest(key.text, near, known))
            # The nearest key must be what a misspelt one stands for, unless it is there as well.
            meant = near if near is None or near in absent else near_miss(key.text, absent)
            yield from _take_meant(shape, node, key, value, known, meant)
        elif _check_key(shape, key, schema, name):
            yield key, shape.take(check(value, rest if isinstance(rest, dict) else {}, label))
        else:
            # Its references are looked at, though the key that they stand under is refused.
            shape.take(check(value, {}, label))


def _take_meant(
    shape: Shape, node: MappingNode, key: ScalarNode, value: Node, known: Schema, meant: str | None
) -> Iterator[tuple[ScalarNode, Json]]:
    """Read the value as that of the key it stands for, whose mistakes then show as well."""
    if meant is None or (id(node), meant) in shape.meant:
        shape.take(check(value, {}, f"'{shorten(key.text)}'"))
        return
    shape.meant[id(node), meant] = value
    yield replace(key, text=meant), shape.take(check(value, known[meant], f"'{meant}'"))


def _suggest(word: str, near: str | None, known: Schema) -> str:
    if word == "<<":
        return "YAML 1.2 has no merge keys: repeat what the alias stands for."
    return f"Did you mean '{near}'?" if near else f"It takes {', '.join(known)}."


def _check_key(shape: Shape, key: ScalarNode, schema: Schema, name: str) -> bool:
    rule = schema.get("propertyNames")
    if rule is None:
        return True
    found = check(key, {"type": "string", **rule}, f"a key of {name}")
    shape.take(found)
    return not found.diagnostics
