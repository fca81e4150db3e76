"""The registry of step kinds: what each takes, gives and needs.

A new kind is one row here, a schema, a handler and a golden case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    longest_job_seconds: int = 0
    """What SageMaker allows as MaxRuntimeInSeconds (botocore's service model)."""
    fan_out: str = ""
    """The config key with the list that the step runs once for each of; empty for a step that runs once."""
    reports: Mapping[str, str] = field(default_factory=dict)
    """Output name → JSON type."""
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


_ALL = (
    StepKind(name="label", takes=(), gives="labels", timeout_seconds=LAMBDA_SECONDS),
    StepKind(name="transform", takes=("labels",), gives="manifest", timeout_seconds=LAMBDA_SECONDS),
    StepKind(
        name="train",
        takes=("manifest",),
        gives="model",
        reports={"metrics": "object", "gate": "array"},
        waits=True,
        timeout_seconds=DAY,
        longest_job_seconds=28 * DAY,
        assets=(
            AssetRule(name="source", root="spec", path_of="script", include=("*.py", "requirements.txt")),
        ),
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
)

STEP_KINDS: Mapping[str, StepKind] = {kind.name: kind for kind in _ALL}
