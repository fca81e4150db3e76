"""One synthesis for all tests: the example, a use case with a data account, a spec with every trigger.

cdk-nag's findings are compared with the reasons given for them, so the reasons are noted instead of told.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from pipelines import usecase
from stacks import app as stacks_app
from stacks import reasons, roles
from stacks.settings import EXAMPLE, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DATA = """
data:
  account: "333333333333"
  role_arn: arn:aws:iam::333333333333:role/image-readers
  external_id: readers-77
  origins: [https://portal.example.com]
"""
TRIGGERS = """
  audit: {uses: custom, handler: "audit:run", needs: [deploy]}
triggers:
  - schedule: cron(0 6 ? * MON *)
  - new_data: {prefix: datasets/cookies/, min_objects: 200}
notify: {on: [failed, waiting], topic: "${{ usecase.topic }}"}
"""
TOPIC = "topic: arn:aws:sns:us-east-1:123456789012:factory\n"


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What a synthesis wrote; findings are (construct, rule), with the number of reasons given for each."""

    folder: Path
    templates: Mapping[str, Mapping[str, Any]]
    findings: set[tuple[str, str]]
    explained: Counter[tuple[str, str]]

    def resources(self, kind: str, stack: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (stack/logical id, properties) of every resource of a type."""
        for name, template in self.templates.items():
            for logical, resource in template["Resources"].items():
                if resource["Type"] == kind and stack in name:
                    yield f"{name}/{logical}", resource.get("Properties", {})

    def statements(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every statement of every policy that a role gets."""
        for name, role in self.resources("AWS::IAM::Role"):
            for policy in role.get("Policies", ()):
                yield from ((name, each) for each in policy["PolicyDocument"]["Statement"])
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for name, policy in self.resources(kind):
                yield from ((name, each) for each in policy["PolicyDocument"]["Statement"])


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    root = tmp_path_factory.mktemp("app")
    write_sources(root)
    told: Counter[tuple[str, str]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            roles, "_tell", lambda construct, rule, _reason: told.update([(_path(construct), rule)])
        )
        folder = synthesise(root)
    templates = {
        path.name.removesuffix(".template.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.template.json"))
    }
    report = json.loads(folder.joinpath("validation-report.json").read_text(encoding="utf-8"))
    return Assembly(
        folder=folder, templates=templates, findings=set(_findings(report)), explained=_at_resources(told)
    )


def write_sources(root: Path) -> None:
    """Write two use cases and two pipelines into a folder, as a user's project has them."""
    usecases = root / "usecases"
    usecases.mkdir()
    text = EXAMPLE.joinpath("usecases", "cookie-factory.yaml").read_text(encoding="utf-8")
    usecases.joinpath("cookie-factory.yaml").write_text(text, encoding="utf-8")
    other = text.replace("cookie-factory", "wafers").replace("210987654321", "222222222222")
    usecases.joinpath("wafers.yaml").write_text(other + TOPIC + DATA, encoding="utf-8")
    shutil.copytree(EXAMPLE, root / "cookies", ignore=shutil.ignore_patterns("usecases"))
    shutil.copytree(root / "cookies", root / "wafers")
    spec = root / "wafers" / "pipeline.yaml"
    written = spec.read_text(encoding="utf-8").replace("cookie-factory", "wafers")
    spec.write_text(written.replace("cookie-defects", "wafer-defects") + TRIGGERS, encoding="utf-8")
    spec.with_name("audit.py").write_text("def run(event, context):\n    return {}\n", encoding="utf-8")


def synthesise(root: Path) -> Path:
    """Synthesise the sources and return the assembly's folder."""
    folder = root / "cdk.out"
    app = cdk.App(outdir=str(folder), analytics_reporting=False, context=dict(stacks_app.FLAGS))
    context = {"specs": "cookies/pipeline.yaml, wafers/pipeline.yaml"}
    stacks_app.build(app, read_settings(context, folder=root))
    with pytest.raises(RuntimeError, match="ValidationFailed"):  # no reason was told
        app.synth()
    return folder


def example() -> usecase.UseCase:
    return usecase.read(EXAMPLE / "usecases", "cookie-factory")


def _path(construct: Any) -> str:
    path: str = construct.node.path
    return path


def _findings(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                yield construct["constructPath"].removesuffix("/Resource"), violation["ruleName"]


def _at_resources(told: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter({(path.removesuffix("/Resource"), rule): count for (path, rule), count in told.items()})


__all__ = ["Assembly", "example", "reasons"]
