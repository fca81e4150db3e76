"""text → nodes → shape → frozen pipeline → rules → graph → definition. Pure, but for reading schemas/."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines import asl, availability, definition, emission, graph, source, spec
from pipelines.diagnostics import Diagnostic, SpecError
from pipelines.platform import SERVICE_FUNCTIONS
from pipelines.rules import Subject, check_all
from pipelines.states import JUDGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.graph import Graph
    from pipelines.kinds import AssetRule
    from pipelines.spec import Pipeline, Step


class CompilerBugError(Exception):
    """The compiler broke its own promise; the spec is not to blame."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Files that a step needs: those of `include` directly in `path`, below the folder that `root` names."""

    name: str
    step: str
    root: str
    path: str
    include: tuple[str, ...]

    @property
    def marker(self) -> str:
        """Return the marker that the asset's address replaces."""
        return f"asset_{self.name}"


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A pipeline and its state machine; `functions` maps a function's name to its handler's dotted name."""

    pipeline: Pipeline
    graph: Graph
    definition: str
    functions: Mapping[str, str]
    assets: tuple[Asset, ...]
    markers: tuple[str, ...]
    unavailable: tuple[tuple[str, str], ...] = ()
    """(step, reason) for everything that the language knows and no handler can do yet: not to be run."""


def compile_text(text: str, *, path: str, exists: Callable[[str], bool] = lambda _path: True) -> Compiled:
    """Compile a spec's text. Raises SpecError with every mistake.

    `path` is the file's name as diagnostics and comments show it; `exists` says whether a file that the spec
    names, relative to itself, is there.
    """
    text = source.normalise(text)
    pipeline, wiring = _check(text, path, exists)
    machine = asl.emit(pipeline, wiring)
    written = definition.serialise(machine)
    _check_size(written, text, path)
    problems = definition.check(machine)
    if problems:
        raise CompilerBugError("; ".join(problems))
    return Compiled(
        pipeline=pipeline,
        graph=wiring,
        definition=written,
        functions=_functions(pipeline),
        assets=tuple(_asset(step, rule) for step in pipeline.steps for rule in emission.assets_of(step)),
        markers=definition.markers(written),
        unavailable=tuple(availability.find_unavailable(pipeline)),
    )


def _check(text: str, path: str, exists: Callable[[str], bool]) -> tuple[Pipeline, Graph]:
    root, found = source.parse(text)
    mistakes = list(found)
    pipeline = None
    if root is not None:
        pipeline, wrong = spec.parse(root, path=path)
        mistakes += wrong
    wiring = None
    if pipeline is not None:
        wiring = graph.plan(pipeline)
        mistakes += check_all(Subject(pipeline=pipeline, graph=wiring, exists=exists))
    if mistakes or pipeline is None or wiring is None:
        raise SpecError(_tell_once(mistakes), path=path, text=text)
    return pipeline, wiring


def _tell_once(mistakes: list[Diagnostic]) -> list[Diagnostic]:
    """Leave out that a value is of the wrong form where it is said that a reference or marker is in it."""
    told = {item.span for item in mistakes if item.code in ("P029", "P034")}
    return [item for item in mistakes if item.code not in ("P012", "P013") or item.span not in told]


def _check_size(written: str, text: str, path: str) -> None:
    size = len(written.encode("utf-8"))
    if size > definition.MAX_BYTES:
        message = (
            f"the state machine would have {size:,} bytes; Step Functions takes {definition.MAX_BYTES:,}"
        )
        hint = "Split the pipeline in two."
        raise SpecError([Diagnostic(code="P040", message=message, hint=hint)], path=path, text=text)


def _functions(pipeline: Pipeline) -> dict[str, str]:
    called = {emission.function_name(step): _handler(step) for step in pipeline.steps}
    known = {name: handler for name, handler in sorted(called.items()) if handler}
    judged = any(step.known_kind.fan_out for step in pipeline.steps)
    return {**known, **({JUDGE: SERVICE_FUNCTIONS[JUDGE]} if judged else {})}


def _handler(step: Step) -> str:
    """Return the dotted name of a step's handler; nothing for a Lambda function that is there already."""
    if not step.known_kind.own_function:
        return step.known_kind.handler
    module, colon, function = str(step.config["handler"]).partition(":")
    return f"{module}.{function}" if colon and module != "arn" else ""


def _asset(step: Step, rule: AssetRule) -> Asset:
    folder = posixpath.dirname(step.config[rule.path_of]) or "." if rule.path_of else rule.path
    name = emission.asset_marker(step, rule).removeprefix("asset_")
    return Asset(name=name, step=step.id.value, root=rule.root, path=folder, include=rule.include)
