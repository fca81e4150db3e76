"""`EdgePipeline`: one spec as a state machine, for the stacks here and for anybody's own CDK app.

    EdgePipeline(stack, "Cookies", spec=Path("pipelines/cookies.yaml"), usecase=usecase)

The platform's orchestrator stack must be in the account already: its functions and roles are found by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from pipelines import machine, packages, platform, policies, topics
from pipelines.assets import PLATFORM, exists_beside, read_asset, read_spec
from pipelines.compiler import Compiled, compile_text
from pipelines.spec import identifier
from stacks import uploads
from stacks.assets import PackedAsset, add_assets
from stacks.functions import Function, FunctionPlan
from stacks.machines import add_machine_log
from stacks.notices import add_notices
from stacks.permissions import CUSTOM, TELEMETRY, machine_statements
from stacks.places import Place
from stacks.roles import add_role, trust_service
from stacks.triggers import Triggers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.spec import Step
    from pipelines.usecase import UseCase

CUSTOM_HANDLER = "tasks.custom.handler"
DECLARATION = "edgepipe-custom.json"
"""The file that says what a custom step's function calls (tasks.custom)."""


class UnfitSpecError(Exception):
    """A spec cannot be deployed to this use case; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A compiled spec and its files."""

    compiled: Compiled
    folder: Path

    @property
    def name(self) -> str:
        """Return the pipeline's name."""
        return self.compiled.pipeline.name

    def custom_steps(self) -> list[Step]:
        """Return the steps that bring a function of their own."""
        handlers = {asset.step for asset in self.compiled.assets if asset.name.endswith("_handler")}
        return [step for step in self.compiled.pipeline.steps if step.id.value in handlers]

    def assets(self) -> list[PackedAsset]:
        """Pack the files that go to the use case's account."""
        wanted = set(self.compiled.markers)
        return [
            PackedAsset(name=asset.name, marker=asset.marker, content=self.read(asset.name))
            for asset in self.compiled.assets
            if asset.marker in wanted
        ]

    def read(self, name: str) -> bytes:
        """Pack one asset."""
        asset = next(each for each in self.compiled.assets if each.name == name)
        return read_asset(asset, spec_dir=self.folder, platform_dir=PLATFORM)


class EdgePipeline(Construct):
    """A pipeline: its state machine with a live version, the role that it runs under, and what starts it."""

    def __init__(self, scope: Construct, construct_id: str, *, spec: Path, usecase: UseCase) -> None:
        super().__init__(scope, construct_id)
        self.home = Place(account=usecase.orchestrator.account, region=usecase.orchestrator.region)
        _check_place(cdk.Stack.of(self), self.home, usecase)
        source = read_source(spec, usecase)
        functions = _add_custom_functions(self, source, self.home)
        markers, copied = add_assets(
            self, assets=source.assets(), pipeline=source.name, usecase=usecase, home=self.home
        )
        values = {**usecase.markers(), **functions, **markers}
        self.machine = _add_machine(self, source, values)
        if copied:
            self.machine.node.add_dependency(copied)
        self.alias = _add_live_version(self, self.machine)
        pipeline = source.compiled.pipeline
        triggers = Triggers(
            self, pipeline=pipeline, usecase=usecase, home=self.home, alias_arn=self.alias.attr_arn
        )
        self.undelivered = triggers.undelivered
        add_notices(self, pipeline, usecase=usecase, machine=self.machine, undelivered=triggers.undelivered)


def _check_place(stack: cdk.Stack, home: Place, usecase: UseCase) -> None:
    """Raise UnfitSpecError for a stack of another account or region; one that says neither goes anywhere."""
    for what, said, needed in (
        ("account", stack.account, home.account),
        ("region", stack.region, home.region),
    ):
        if not cdk.Token.is_unresolved(said) and said != needed:
            message = (
                f"stack '{stack.stack_name}' is of {what} {said}, and the platform of use case "
                f"'{usecase.id}' is in {needed}: give the stack that env"
            )
            raise UnfitSpecError(message)


def read_source(spec: Path, usecase: UseCase) -> Source:
    """Compile a spec. Raises SpecError, or UnfitSpecError where it cannot run in this use case."""
    compiled = compile_text(read_spec(spec), path=spec.as_posix(), exists=exists_beside(spec))
    if compiled.pipeline.usecase != usecase.id:
        message = f"{spec}: belongs to use case '{compiled.pipeline.usecase}', not to '{usecase.id}'"
        raise UnfitSpecError(message)
    if compiled.unavailable:
        step, reason = compiled.unavailable[0]
        message = f"{spec}: step '{step}' cannot be carried out: {reason}"
        raise UnfitSpecError(message)
    if wrong := topics.find_wrong(machine.parse(compiled.definition), usecase):
        message = f"{spec}: {wrong}"
        raise UnfitSpecError(message)
    return Source(compiled=compiled, folder=spec.parent)


def _add_custom_functions(scope: Construct, source: Source, home: Place) -> dict[str, str]:
    """Add the functions of custom steps; return the markers of all functions."""
    own = {f"custom_{identifier(step.id.value)}": step for step in source.custom_steps()}
    names = {name: platform.function_name(name) for name in source.compiled.functions if name not in own}
    for name, step in own.items():
        names[name] = platform.custom_function_name(source.name, step.id.value)
        plan = FunctionPlan(
            name=names[name],
            handler=CUSTOM_HANDLER,
            role_arn=home.role(platform.function_role_name(CUSTOM)),
            called_back=True,
        )
        content = packages.pack({**packages.read_handlers(), **_own_files(source, step)})
        code = uploads.stage(scope, f"{name}-code", name=f"{name}.zip", content=content)
        Function(scope, name, plan=plan, code=code)
    return {f"{name}_function_arn": home.arn("lambda", f"function:{full}") for name, full in names.items()}


def _own_files(source: Source, step: Step) -> dict[str, bytes]:
    """Return an author's files and what is to be called in them."""
    module, _, function = str(step.config["handler"]).partition(":")
    kind = step.known_kind
    declaration = {
        "module": module,
        "function": function,
        "gives": kind.gives,
        "outputs": dict(kind.reports),
    }
    files = packages.unpack(source.read(f"{identifier(step.id.value)}_handler"))
    return {**files, DECLARATION: json.dumps(declaration, sort_keys=True).encode()}


def _add_machine(scope: EdgePipeline, source: Source, values: Mapping[str, str]) -> sfn.CfnStateMachine:
    """Add the state machine and its role, which may call its own functions and nothing else."""
    text = source.compiled.definition
    derived = policies.derive(machine.parse(text)).machine
    role = add_role(
        scope,
        "Role",
        name=platform.machine_role_name(source.name),
        trust=[trust_service("states", account=scope.home.account)],
        statements=machine_statements(derived, values),
        telemetry=TELEMETRY,
    )
    definition = uploads.stage(
        scope, "Definition", name=f"{source.name}.asl.json", content=text.encode("utf-8")
    )
    made = sfn.CfnStateMachine(
        scope,
        "Machine",
        state_machine_name=platform.machine_name(source.name),
        state_machine_type="STANDARD",
        role_arn=role.attr_arn,
        definition_s3_location=sfn.CfnStateMachine.S3LocationProperty(
            bucket=definition.s3_bucket_name, key=definition.s3_object_key
        ),
        definition_substitutions={name: values[name] for name in source.compiled.markers},
        tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
    )
    add_machine_log(scope, platform.machine_name(source.name), made)
    return made


def _add_live_version(scope: Construct, made: sfn.CfnStateMachine) -> sfn.CfnStateMachineAlias:
    """Publish a version of each new definition, keep the former ones, and move the alias to the new one."""
    version = sfn.CfnStateMachineVersion(
        scope,
        "Version",
        state_machine_arn=made.attr_arn,
        state_machine_revision_id=made.attr_state_machine_revision_id,
    )
    version.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    return sfn.CfnStateMachineAlias(
        scope,
        "Live",
        name=platform.LIVE,
        deployment_preference=sfn.CfnStateMachineAlias.DeploymentPreferenceProperty(
            state_machine_version_arn=version.attr_arn, type="ALL_AT_ONCE"
        ),
    )
