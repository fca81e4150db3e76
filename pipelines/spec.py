"""A pipeline spec as frozen values: what the rules, the wiring and the emitter work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar

from pipelines import configs, nodes, references, schema, shape, values
from pipelines.diagnostics import Diagnostic, Span, near_miss
from pipelines.kinds import LAMBDA_SECONDS, STEP_KINDS, StepKind, specialise
from pipelines.nodes import MappingNode, Node, ScalarNode, SequenceNode
from pipelines.shape import Shape, Slot

if TYPE_CHECKING:
    from pipelines.references import Part

T = TypeVar("T")

COMMON_KEYS = frozenset(
    ["uses", "needs", "inputs", "when", "timeout", "retry", "heartbeat", "for_each", "max_parallel"]
)
"""The keys that say how a step runs; the others are its kind's config."""

MAX_STEPS: int = schema.read("pipeline.schema.json")["properties"]["steps"]["maxProperties"]
"""Steps beyond this are not looked at: their number is a mistake by itself."""

_USECASE = schema.read("usecase.schema.json")

USECASE_FIELDS: tuple[str, ...] = tuple(
    name for name, rule in _USECASE["properties"].items() if rule["type"] == "string"
)
"""What `${{ usecase.x }}` can name: the facts that are one text each."""

USECASE_REQUIRED: tuple[str, ...] = tuple(name for name in _USECASE["required"] if name in USECASE_FIELDS)
"""What every use case has, and every handler gets."""

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
    default: values.Json = None
    default_node: Node | None = None
    parts: tuple[Part, ...] = ()
    """The default cut into text and references, where it has references."""
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""

    def refs(self) -> Iterator[references.Ref]:
        """Yield every reference in the default."""
        yield from (part for part in self.parts if isinstance(part, references.Ref))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step; `kind` is None where the spec names one that does not exist."""

    id: Located[str]
    kind_name: Located[str]
    kind: StepKind | None
    needs: tuple[Located[str], ...]
    inputs: Mapping[str, Located[str]]
    """Artifact type → the step that gives it, where the spec names one."""
    given: Mapping[str, Any]
    """Artifact type → its address, or {uri, digest, facts}, where it comes from outside."""
    input_keys: tuple[Located[str], ...]
    timeout_seconds: int
    heartbeat_seconds: int | None
    retry: Mapping[str, Any] | None
    when: Located[tuple[Part, ...]] | None
    """The condition under which it runs, cut into text and references."""
    for_each: Any
    """The list, or the text that refers to one; None for a step that runs once."""
    max_parallel: int | None
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

    def config_refs(self) -> Iterator[references.Ref]:
        """Yield the references in what the step needs to run; those of its condition are left out."""
        asked = self.when.value if self.when else ()
        yield from (ref for ref in self.refs() if not any(ref is part for part in asked))


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A parsed spec; `path` is its file's name as the user gave it."""

    name: str
    usecase: str
    path: str
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    slots: tuple[Slot, ...]
    """The values with references outside the steps."""
    defaults: Mapping[str, Any]
    root: MappingNode

    @cached_property
    def _steps(self) -> Mapping[str, Step]:
        return {step.id.value: step for step in reversed(self.steps)}

    @cached_property
    def _params(self) -> Mapping[str, Param]:
        return {param.name: param for param in reversed(self.params)}

    @cached_property
    def waiting_topic(self) -> ScalarNode | None:
        """Return the topic that is told when an approval begins to wait; None where nobody is."""
        told = (item.text for item in nodes.items(nodes.find(self.root, "notify", "on")))
        topic = nodes.find(self.root, "notify", "topic")
        return topic if "waiting" in told and isinstance(topic, ScalarNode) else None

    def parts(self, node: ScalarNode) -> tuple[Part, ...]:
        """Cut a value outside the steps into text and references."""
        return next((slot.parts for slot in self.slots if slot.node is node), (node.text,))

    def step(self, step_id: str) -> Step | None:
        """Return the step of that id."""
        return self._steps.get(step_id)

    def param(self, name: str) -> Param | None:
        """Return the parameter of that name."""
        return self._params.get(name)


def identifier(step_id: str) -> str:
    """Return a step id as variables and markers can hold it."""
    return step_id.replace("-", "_")


def parse(root: Node, *, path: str) -> tuple[Pipeline | None, list[Diagnostic]]:
    """Parse a document into a pipeline and every mistake of shape; None where it is no mapping at all."""
    if not isinstance(root, MappingNode):
        message = "a spec must be a mapping with the keys version, name, usecase and steps"
        return None, [Diagnostic(code="P006", message=message, span=root.span)]
    head = shape.check(root, _head_schema(), "the pipeline")
    defaults = nodes.entries(head.find(root, "defaults"))
    steps, mistakes = _parse_steps(head.find(root, "steps"), defaults)
    pipeline = Pipeline(
        name=_text(head.find(root, "name")),
        usecase=_text(head.find(root, "usecase")),
        path=path,
        params=tuple(_parse_params(head.find(root, "params"), head)),
        steps=tuple(steps),
        slots=tuple(head.slots),
        defaults=_member(head.value, "defaults") or {},
        root=root,
    )
    return pipeline, head.diagnostics + mistakes


def _head_schema() -> schema.Schema:
    """Return the pipeline's schema but for the steps, which are checked against the schema of their kind."""
    return schema.load("pipeline.schema.json", opaque=("steps",))


def _parse_params(node: Node | None, head: Shape) -> Iterator[Param]:
    slots = {id(slot.node): slot.parts for slot in head.slots}
    for key, value in nodes.entries(node):
        default = head.find(value, "default")
        yield Param(
            name=key.text,
            type=_text(head.find(value, "type")),
            span=key.span,
            default_node=default,
            default=_default(default, _text(head.find(value, "type"))),
            parts=slots.get(id(default), ()),
            minimum=_number(head.find(value, "minimum")),
            maximum=_number(head.find(value, "maximum")),
            description=_text(head.find(value, "description")),
        )


def _default(node: Node | None, kind: str) -> values.Json:
    """Read a default as its type asks: a text parameter's plain 1.10 is text."""
    if isinstance(node, SequenceNode):
        return [item.value for item in nodes.items(node)]
    if not isinstance(node, ScalarNode):
        return None
    return node.text if kind in ("string", "s3uri") else node.value


Entries = tuple[tuple[ScalarNode, Node], ...]


def _parse_steps(node: Node | None, defaults: Entries) -> tuple[list[Step], list[Diagnostic]]:
    steps: list[Step] = []
    mistakes: list[Diagnostic] = []
    for key, value in nodes.entries(node)[:MAX_STEPS]:
        given = _body(value)
        if given is None:
            message = f"step '{key.text}' must be a mapping, not {shape.describe(value)}"
            mistakes.append(Diagnostic(code="P012", message=message, span=value.span))
        body = given or MappingNode(entries=(), span=value.span)
        step, found = _parse_step(key, body, defaults, broken=given is None)
        steps.append(step)
        mistakes += found
    return steps, mistakes


def _body(node: Node) -> MappingNode | None:
    """Return a step's mapping; nothing at all after `package:` means that it has defaults only."""
    if isinstance(node, ScalarNode) and node.value is None:
        return MappingNode(entries=(), span=node.span)
    return node if isinstance(node, MappingNode) else None


def _parse_step(
    key: ScalarNode, body: MappingNode, defaults: Entries, *, broken: bool
) -> tuple[Step, list[Diagnostic]]:
    kind_name, slips = _kind_name(key, body)
    kind = STEP_KINDS.get(kind_name.text)
    found = _check_body(key, body, defaults, kind) if kind else Shape(value={})
    config = {name: item for name, item in _mapping(found.value).items() if name not in COMMON_KEYS}
    step = _build_step(key, kind_name, found, body)
    step = replace(step, kind=specialise(kind, config) if kind else None, config=config)
    step = replace(step, timeout_seconds=_timeout(step, found.value))
    return step, [] if broken else slips + found.diagnostics


def _kind_name(key: ScalarNode, body: MappingNode) -> tuple[ScalarNode, list[Diagnostic]]:
    """Return what says the step's kind: `uses`, that key misspelt, or the id."""
    uses = body.get("uses")
    if isinstance(uses, ScalarNode):
        return uses, []
    if key.text in STEP_KINDS:
        return key, []
    for name, value in body.entries:
        if isinstance(value, ScalarNode) and value.text in STEP_KINDS and near_miss(name.text, ["uses"]):
            message = f"step '{key.text}' has no key '{name.text}'"
            return value, [
                Diagnostic(code="P010", message=message, span=name.span, hint="Did you mean 'uses'?")
            ]
    return key, []


def _check_body(key: ScalarNode, body: MappingNode, defaults: Entries, kind: StepKind) -> Shape:
    """Check a step against its kind's schema, with the pipeline's defaults where it does not say more.

    Mistakes in a default are told where the defaults are checked, once.
    """
    rule = schema.load(kind.schema)
    added = tuple(
        (name, value)
        for name, value in defaults
        if name.text in rule["properties"] and not body.get(name.text)
    )
    whole = replace(body, entries=(*body.entries, *added)) if added else body
    found = shape.check(whole, rule, f"step '{key.text}'")
    elsewhere = [value.span for _, value in added]
    found.diagnostics = [
        item
        for item in found.diagnostics
        if not any(_within(item.span, span) for span in elsewhere) and not _names_kind(item, key, kind)
    ]
    found.meant = {
        (id(body) if at == id(whole) else at, name): node for (at, name), node in found.meant.items()
    }
    return found


def _names_kind(item: Diagnostic, key: ScalarNode, kind: StepKind) -> bool:
    """Say whether it is the misspelt `uses`, which has been told already."""
    return (
        item.code == "P010"
        and key.text not in STEP_KINDS
        and item.hint == "Did you mean 'uses'?"
        and bool(kind)
    )


def _within(inner: Span, outer: Span) -> bool:
    begin, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return begin <= (inner.line, inner.column) and (inner.end_line, inner.end_column) <= end


def _build_step(key: ScalarNode, kind_name: ScalarNode, found: Shape, body: MappingNode) -> Step:
    inputs = _input_entries(found.find(body, "inputs"))
    value = _mapping(found.value)
    heartbeat, parallel = value.get("heartbeat"), value.get("max_parallel")
    return Step(
        id=_located(key),
        kind_name=_located(kind_name),
        kind=None,
        needs=tuple(_located(item) for item in nodes.items(found.find(body, "needs"))),
        inputs={name.text: _located(item) for name, item in inputs if _names_step(item)},
        given=_given(inputs, value),
        input_keys=tuple(_located(name) for name, _ in inputs),
        timeout_seconds=1,
        heartbeat_seconds=configs.seconds(heartbeat) if isinstance(heartbeat, str) else None,
        retry=_member(value, "retry"),
        when=_when(found, body),
        for_each=value.get("for_each"),
        max_parallel=parallel if isinstance(parallel, int) else None,
        config={},
        slots=tuple(found.slots),
        node=body,
    )


def _when(found: Shape, body: MappingNode) -> Located[tuple[Part, ...]] | None:
    node = found.find(body, "when")
    if not isinstance(node, ScalarNode):
        return None
    parts = next((slot.parts for slot in found.slots if slot.node is node), (node.text,))
    return Located(value=parts, span=node.span)


def _input_entries(node: Node | None) -> Entries:
    return tuple((name, item) for name, item in nodes.entries(node) if not isinstance(item, SequenceNode))


def _names_step(node: Node) -> TypeGuard[ScalarNode]:
    return isinstance(node, ScalarNode) and ":" not in node.text and references.OPENING not in node.text


def _given(inputs: Entries, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs that are no steps, as far as their shape is right."""
    outside = {name.text for name, item in inputs if not _names_step(item)}
    found = _member(value, "inputs") or {}
    return {name: item for name, item in found.items() if name in outside and item}


def _timeout(step: Step, value: values.Json) -> int:
    own = _mapping(value).get("timeout")
    if not isinstance(own, str):
        return step.kind.timeout_seconds if step.kind else 1
    found = configs.seconds(own)
    inherited = step.node.get("timeout") is None
    return min(found, LAMBDA_SECONDS) if inherited and step.kind and not step.kind.waits else found


def _mapping(value: values.Json) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _member(value: values.Json, key: str) -> Mapping[str, Any] | None:
    found = _mapping(value).get(key)
    return found if isinstance(found, Mapping) else None


def _located(node: ScalarNode) -> Located[str]:
    return Located(value=node.text, span=node.span)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) else ""


def _number(node: Node | None) -> float | None:
    value = node.value if isinstance(node, ScalarNode) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
