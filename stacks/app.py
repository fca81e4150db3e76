"""The CDK app: `python -m stacks.app` writes cdk.out, `cdk deploy` deploys it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from pipelines.assets import exists_beside, read_spec
from pipelines.compiler import compile_text
from pipelines.diagnostics import RequestError, SpecError
from stacks.data_account import DataAccountStack
from stacks.edge_pipeline import UnfitSpecError
from stacks.orchestrator import Concurrency, OrchestratorStack
from stacks.pipeline import PipelineStack
from stacks.reasons import UnexplainedError
from stacks.sections import MissingFactError
from stacks.settings import Settings, SettingsError, read_settings
from stacks.triggers import TriggerError
from stacks.usecase import UseCaseStack

if TYPE_CHECKING:
    from collections.abc import Mapping

OUT = "cdk.out"
EXIT_SPEC = 3
CONTEXT = ("account", "region", "reserve", "specs", "usecases")
FLAGS: Mapping[str, bool] = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
}
"""CDK's newer behaviours that the stacks rely on (github.com/aws/aws-cdk, FEATURE_FLAGS.md)."""
MISTAKES = (SettingsError, UnfitSpecError, MissingFactError, TriggerError, UnexplainedError, RequestError)


def build(app: cdk.App, settings: Settings) -> None:
    """Add every stack to an app, and cdk-nag's look at them."""
    concurrency = Concurrency() if settings.reserve else Concurrency(sweeper=None, events=None)
    home = OrchestratorStack(
        app,
        "edgepipe-orchestrator",
        home=settings.home,
        usecases=settings.usecases,
        concurrency=concurrency,
    )
    accounts = {}
    for usecase in settings.usecases:
        accounts[usecase.id] = UseCaseStack(app, f"edgepipe-usecase-{usecase.id}", usecase=usecase)
        accounts[usecase.id].add_stack_dependency(home)
        if usecase.data:
            data = DataAccountStack(app, f"edgepipe-data-{usecase.id}", usecase=usecase, data=usecase.data)
            data.add_stack_dependency(accounts[usecase.id])
    for spec in settings.specs:
        pipeline = compile_text(read_spec(spec), path=spec.as_posix(), exists=exists_beside(spec)).pipeline
        usecase = settings.usecase(pipeline.usecase, spec)
        stack = PipelineStack(app, f"edgepipe-pipeline-{pipeline.name}", spec=spec, usecase=usecase)
        stack.add_stack_dependency(accounts[usecase.id])
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> int:
    """Synthesise; a mistake in the settings or in a spec is told in its own words."""
    app = cdk.App(outdir=os.environ.get("CDK_OUTDIR", OUT), analytics_reporting=False, context=dict(FLAGS))
    context = {name: str(app.node.try_get_context(name) or "") for name in CONTEXT}
    try:
        build(app, read_settings({name: value for name, value in context.items() if value}, folder=Path()))
    except SpecError as error:
        print(error, file=sys.stderr)
        return EXIT_SPEC
    except MISTAKES as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_SPEC
    app.synth()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
