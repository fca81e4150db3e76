"""The registry of step kinds: what each takes, gives and needs.

A new kind is one row here, a schema, a handler and a golden case.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipelines import configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.configs import Configure

LAMBDA_SECONDS = 900
"""The longest a Lambda function may run (docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html)."""

HOUR = 3600
DAY = 24 * HOUR

TYPES = frozenset(
    [
        "dataset",
        "labels",
        "manifest",
        "model",
        "compiled_model",
        "package",
        "component",
        "deployment",
        "endpoint",
    ]
)
"""The artifact types; an output of a type has the type's name."""

PER_TARGET = frozenset({"compiled_model", "package"})
"""Types whose outputs are objects that hold one artifact for each target."""


@dataclass(frozen=True, kw_only=True)
class AssetRule:
    """Files that go along with a step; `root` is where `path` starts: spec or platform (edgepipe's own)."""

    name: str
    root: str
    include: tuple[str, ...]
    path: str = ""
    path_of: str = ""
    """The config key of the file whose folder it is, where the path is not fixed."""


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """One kind. `takes` and `gives` are artifact types; `reports` are outputs that no step takes as input."""

    name: str
    takes: tuple[str, ...]
    gives: str
    timeout_seconds: int
    waits: bool = False
    asks_capacity: bool = True
    """Whether what it waits for is a machine or a quota, so that waiting for hours may help."""
    longest_job_seconds: int = 0
    """What SageMaker allows as MaxRuntimeInSeconds (botocore's service model)."""
    waits_for: tuple[str, ...] = ()
    """The values of `method` that make a step wait whose kind does not."""
    fan_out: str = ""
    """The config key with the list that the step runs once for each of; empty for a step that runs once."""
    each: bool = False
    """Whether the step can run once for each entry of a list of the author's."""
    reports: Mapping[str, str] = field(default_factory=dict)
    """Output name → JSON type."""
    own_function: bool = False
    """Whether each step has a function of its own, which the author wrote."""
    gate: bool = False
    """Whether steps written below it wait for it without naming it."""
    assets: tuple[AssetRule, ...] = ()
    configure: Configure = configs.as_written

    @property
    def handler(self) -> str:
        """Return the dotted name of the Lambda handler."""
        return f"tasks.{self.name}.handler"

    @property
    def schema(self) -> str:
        """Return the name of the kind's schema below schemas/."""
        return f"steps/{self.name}.schema.json"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of everything that a step of the kind puts out."""
        return (*([self.gives] if self.gives else []), *self.reports)


_SOURCES = ("*.py", "requirements.txt")

_ALL = (
    StepKind(
        name="label",
        takes=(),
        gives="labels",
        timeout_seconds=LAMBDA_SECONDS,
        waits_for=("ground-truth", "auto"),
    ),
    StepKind(name="transform", takes=("labels",), gives="manifest", timeout_seconds=LAMBDA_SECONDS),
    StepKind(
        name="train",
        takes=("manifest",),
        gives="model",
        reports={"metrics": "object", "gate": "array"},
        waits=True,
        timeout_seconds=DAY,
        longest_job_seconds=28 * DAY,
        each=True,
        assets=(AssetRule(name="source", root="spec", path_of="script", include=_SOURCES),),
        configure=configs.train,
    ),
    StepKind(
        name="compile",
        takes=("model", "manifest"),
        gives="compiled_model",
        reports={"failed": "object"},
        waits=True,
        fan_out="targets",
        timeout_seconds=6 * HOUR,
        longest_job_seconds=9 * DAY,
        configure=configs.compiling,
    ),
    StepKind(
        name="package",
        takes=("compiled_model",),
        gives="package",
        timeout_seconds=LAMBDA_SECONDS,
        assets=(
            AssetRule(
                name="runtime",
                root="platform",
                path="edge_components/model",
                include=("base.py", "loader.py", "marshal.py"),
            ),
        ),
        configure=configs.package,
    ),
    StepKind(
        name="publish",
        takes=("package",),
        gives="component",
        timeout_seconds=LAMBDA_SECONDS,
        configure=configs.publish,
    ),
    StepKind(
        name="deploy",
        takes=("component",),
        gives="deployment",
        waits=True,
        timeout_seconds=2 * HOUR,
        configure=configs.deploy,
    ),
    StepKind(name="serve", takes=("model",), gives="endpoint", waits=True, timeout_seconds=2 * HOUR),
    StepKind(
        name="approve",
        takes=(),
        gives="",
        reports={"approval": "object"},
        waits=True,
        asks_capacity=False,
        gate=True,
        timeout_seconds=7 * DAY,
        configure=configs.approve,
    ),
    StepKind(
        name="custom",
        takes=(),
        gives="",
        own_function=True,
        each=True,
        timeout_seconds=LAMBDA_SECONDS,
        assets=(AssetRule(name="handler", root="spec", path_of="handler", include=_SOURCES),),
        configure=configs.custom,
    ),
)

STEP_KINDS: Mapping[str, StepKind] = {kind.name: kind for kind in _ALL}


def specialise(kind: StepKind, config: Mapping[str, Any]) -> StepKind:
    """Return the kind as one step has it: what a custom step takes and gives, and whether this step waits."""
    if kind.name == "serve" and config.get("from") in TYPES:
        return replace(kind, takes=(config["from"],))
    if kind.waits_for and config.get("method") in kind.waits_for:
        return replace(kind, waits=True, timeout_seconds=10 * DAY)
    return _custom(kind, config) if kind.own_function else kind


def _custom(kind: StepKind, config: Mapping[str, Any]) -> StepKind:
    takes, gives, outputs = (config.get(key) for key in ("takes", "gives", "outputs"))
    waits = config.get("waits") is True
    return replace(
        kind,
        takes=tuple(each for each in takes or () if each in TYPES),
        gives=gives if isinstance(gives, str) else "",
        reports={name: each for name, each in (outputs or {}).items() if isinstance(each, str)},
        waits=waits,
        timeout_seconds=DAY if waits else LAMBDA_SECONDS,
        assets=() if str(config.get("handler")).startswith("arn:") else kind.assets,
    )
