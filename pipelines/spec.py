"""A pipeline spec as frozen values: what the rules, the wiring and the emitter work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipelines import configs, nodes, references, schema, shape, values
from pipelines.diagnostics import Diagnostic, Span
from pipelines.kinds import STEP_KINDS, StepKind
from pipelines.nodes import MappingNode, Node, ScalarNode
from pipelines.shape import Shape, Slot

if TYPE_CHECKING:
    from pipelines.references import Part

T = TypeVar("T")

COMMON_KEYS = ("uses", "needs", "inputs", "timeout")
"""The keys that every step takes; the others are its kind's config."""

MAX_STEPS: int = schema.load("pipeline.schema.json")["properties"]["steps"]["maxProperties"]
"""Steps beyond this are not looked at: their number is a mistake by itself."""

USECASE_FIELDS: tuple[str, ...] = tuple(schema.load("usecase.schema.json")["properties"])
"""What `${{ usecase.x }}` can name."""

RUN_FIELDS: Mapping[str, str] = {
    "id": "{% $states.context.Execution.Name %}",
    "arn": "{% $states.context.Execution.Id %}",
}
"""What Step Functions knows about a run, and where. `${{ run.x }}` can name these, and `pipeline`."""


@dataclass(frozen=True, kw_only=True)
class Located(Generic[T]):
    """A value and its place."""

    value: T
    span: Span


@dataclass(frozen=True, kw_only=True)
class Param:
    """A parameter of the pipeline; `default` is None where every run must give a value."""

    name: str
    type: str
    span: Span
    default: values.Scalar = None
    default_node: ScalarNode | None = None
    parts: tuple[Part, ...] = ()
    """The default cut into text and references, where it has references."""
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step; `kind` is None where the spec names one that does not exist."""

    id: Located[str]
    kind_name: Located[str]
    kind: StepKind | None
    needs: tuple[Located[str], ...]
    inputs: Mapping[str, Located[str]]
    input_keys: tuple[Located[str], ...]
    timeout_seconds: int
    config: Mapping[str, Any]
    slots: tuple[Slot, ...]
    node: MappingNode

    @property
    def known_kind(self) -> StepKind:
        """Return the kind of a step that has passed the rules. Raises LookupError for any other."""
        if self.kind is None:
            raise LookupError(self.kind_name.value)
        return self.kind

    @property
    def variable(self) -> str:
        """Return the name that the step's output has in the state machine."""
        return f"step_{identifier(self.id.value)}"

    def find(self, *path: str) -> Node | None:
        """Return a node of the step's config as written."""
        return nodes.find(self.node, *path)

    def refs(self) -> Iterator[references.Ref]:
        """Yield every reference in the step's config."""
        for slot in self.slots:
            yield from (part for part in slot.parts if isinstance(part, references.Ref))


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A parsed spec; `path` is its file's name as the user gave it."""

    name: str
    usecase: str
    path: str
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    root: MappingNode

    def step(self, step_id: str) -> Step | None:
        """Return the step of that id."""
        return next((step for step in self.steps if step.id.value == step_id), None)

    def param(self, name: str) -> Param | None:
        """Return the parameter of that name."""
        return next((param for param in self.params if param.name == name), None)


def identifier(step_id: str) -> str:
    """Return a step id as variables and markers can hold it."""
    return step_id.replace("-", "_")


def parse(root: Node, *, path: str) -> tuple[Pipeline | None, list[Diagnostic]]:
    """Parse a document into a pipeline and every mistake of shape; None where it is no mapping at all."""
    if not isinstance(root, MappingNode):
        message = "a spec must be a mapping with the keys version, name, usecase and steps"
        return None, [Diagnostic(code="P006", message=message, span=root.span)]
    head = shape.check(root, _head_schema(), "the pipeline")
    steps, mistakes = _parse_steps(root.get("steps"))
    pipeline = Pipeline(
        name=_text(root.get("name")),
        usecase=_text(root.get("usecase")),
        path=path,
        params=tuple(_parse_params(root.get("params"), head)),
        steps=tuple(steps),
        root=root,
    )
    return pipeline, head.diagnostics + mistakes


def _head_schema() -> schema.Schema:
    """Return the pipeline's schema but for the steps, which are checked against the schema of their kind."""
    whole = schema.load("pipeline.schema.json")
    steps = {**whole["properties"]["steps"], "properties": {}, "additionalProperties": shape.OPAQUE}
    return {**whole, "properties": {**whole["properties"], "steps": steps}}


def _parse_params(node: Node | None, head: Shape) -> Iterator[Param]:
    slots = {id(slot.node): slot.parts for slot in head.slots}
    for key, value in nodes.entries(node):
        default = nodes.find(value, "default")
        yield Param(
            name=key.text,
            type=_text(nodes.find(value, "type")),
            span=key.span,
            default_node=default if isinstance(default, ScalarNode) else None,
            default=_default(default, _text(nodes.find(value, "type"))),
            parts=slots.get(id(default), ()),
            minimum=_number(nodes.find(value, "minimum")),
            maximum=_number(nodes.find(value, "maximum")),
            description=_text(nodes.find(value, "description")),
        )


def _default(node: Node | None, kind: str) -> values.Scalar:
    """Read a default as its type asks: a text parameter's plain 1.10 is text."""
    if not isinstance(node, ScalarNode):
        return None
    return node.text if kind in ("string", "s3uri") else node.value


def _parse_steps(node: Node | None) -> tuple[list[Step], list[Diagnostic]]:
    steps: list[Step] = []
    mistakes: list[Diagnostic] = []
    for key, value in nodes.entries(node)[:MAX_STEPS]:
        body = _body(value)
        if body is None:
            message = f"step '{key.text}' must be a mapping"
            mistakes.append(Diagnostic(code="P012", message=message, span=value.span))
            body = MappingNode(entries=(), span=value.span)
        step, found = _parse_step(key, body, broken=body is not value and bool(mistakes))
        steps.append(step)
        mistakes += found
    return steps, mistakes


def _body(node: Node) -> MappingNode | None:
    """Return a step's mapping; nothing at all after `package:` means that it has defaults only."""
    if isinstance(node, ScalarNode) and node.value is None:
        return MappingNode(entries=(), span=node.span)
    return node if isinstance(node, MappingNode) else None


def _parse_step(key: ScalarNode, body: MappingNode, *, broken: bool) -> tuple[Step, list[Diagnostic]]:
    uses = body.get("uses")
    kind_name = uses if isinstance(uses, ScalarNode) else key
    kind = STEP_KINDS.get(kind_name.text)
    empty = Shape(value={})
    found = shape.check(body, schema.load(kind.schema), f"step '{key.text}'") if kind else empty
    step = Step(
        id=_located(key),
        kind_name=_located(kind_name),
        kind=kind,
        needs=tuple(_located(item) for item in nodes.items(body.get("needs"))),
        inputs={name.text: _located(item) for name, item in _input_entries(body)},
        input_keys=tuple(_located(name) for name, _ in _input_entries(body)),
        timeout_seconds=_timeout(found.value, kind),
        config=_config(found.value),
        slots=tuple(found.slots),
        node=body,
    )
    return step, [] if broken else found.diagnostics


def _input_entries(body: MappingNode) -> list[tuple[ScalarNode, ScalarNode]]:
    found = nodes.entries(body.get("inputs"))
    return [(name, item) for name, item in found if isinstance(item, ScalarNode)]


def _config(value: values.Json) -> Mapping[str, Any]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: item for name, item in items if name not in COMMON_KEYS}


def _timeout(value: values.Json, kind: StepKind | None) -> int:
    own = value.get("timeout") if isinstance(value, Mapping) else None
    if isinstance(own, str):
        return configs.seconds(own)
    return kind.timeout_seconds if kind else 1


def _located(node: ScalarNode) -> Located[str]:
    return Located(value=node.text, span=node.span)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) else ""


def _number(node: Node | None) -> float | None:
    value = node.value if isinstance(node, ScalarNode) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
