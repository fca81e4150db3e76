"""The platform's own fixed workflows: many pipelines for a new base model, and a new use case made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as sfn_tasks
from constructs import Construct

from pipelines import packages, platform
from stacks import uploads
from stacks.deployment import enter_statements, log_statement
from stacks.functions import Function, FunctionPlan
from stacks.machines import add_machine_log
from stacks.permissions import TELEMETRY
from stacks.roles import add_role, allow, trust_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.usecase import UseCase
    from stacks.places import Place

BASE_MODEL = "edgepipe-base-model"
ONBOARDING = "edgepipe-onboarding"
_ONBOARDING_FUNCTION = "onboarding"
_AT_ONCE = 5


class Workflows(Construct):
    """Both workflows; `machines` maps a name to the state machine's ARN."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        home: Place,
        usecases: Sequence[UseCase],
    ) -> None:
        super().__init__(scope, construct_id)
        function = _add_onboarding_function(self, home, usecases)
        self.machines: Mapping[str, str] = {
            BASE_MODEL: _add_base_model(self, home),
            ONBOARDING: _add_onboarding(self, home, function),
        }


def _add_base_model(scope: Construct, home: Place) -> str:
    """Start every pipeline that is named; one that cannot be started holds back no other.

    Input: {"base_model": address, "pipelines": [names], "param": the parameter that takes the address}.
    """
    each = _each_pipeline(scope, home)
    failed = sfn.Fail(
        scope,
        "Some not started",
        query_language=sfn.QueryLanguage.JSONATA,
        error="NotStartedError",
        cause="{% $string($states.input.lost) %}",
    )
    judge = sfn.Choice(scope, "All started?", query_language=sfn.QueryLanguage.JSONATA)
    judge.when(sfn.Condition.jsonata("{% $count($states.input.lost) > 0 %}"), failed)
    judge.otherwise(sfn.Succeed(scope, "All started"))
    pipelines = f"{home.machine('edgepipe-*')}:*"
    return _add_machine(
        scope, BASE_MODEL, each.next(judge), home, [allow(["states:StartExecution"], [pipelines])]
    )


def _each_pipeline(scope: Construct, home: Place) -> sfn.Map:
    """Start each pipeline; its output says which were lost."""
    started = sfn.Pass(scope, "Started already")
    lost = sfn.Pass(
        scope,
        "Not started",
        query_language=sfn.QueryLanguage.JSONATA,
        outputs="{% {'pipeline': $states.input.pipeline, 'error': $states.input.Cause} %}",
    )
    start = _start_pipeline(scope, home)
    start.add_catch(started, errors=["Sfn.ExecutionAlreadyExistsException"])
    start.add_catch(
        lost, outputs="{% $merge([$states.input, {'Cause': [$states.errorOutput.Cause, ''][0]}]) %}"
    )
    each = sfn.Map.jsonata(
        scope,
        "Each pipeline",
        items=sfn.ProvideItems.jsonata("{% [$states.input.pipelines] %}"),
        item_selector={
            "pipeline": "{% $states.context.Map.Item.Value %}",
            "base_model": "{% $states.input.base_model %}",
            "param": "{% $exists($states.input.param) ? $states.input.param : 'base_model' %}",
        },
        max_concurrency=_AT_ONCE,
        outputs="{% {'lost': [$states.result[$exists(error)]]} %}",
    )
    each.item_processor(start)
    return each


def _start_pipeline(scope: Construct, home: Place) -> sfn_tasks.CallAwsService:
    """Start one pipeline's live version under a name made of the base model's: asked twice, it runs once."""
    machine = f"{home.machine(platform.machine_name(''))}"
    return sfn_tasks.CallAwsService.jsonata(
        scope,
        "Start",
        service="sfn",
        action="startExecution",
        iam_resources=["*"],
        parameters={
            "StateMachineArn": f"{{% '{machine}' & $states.input.pipeline & ':{platform.LIVE}' %}}",
            "Name": "{% 'base-model-' & $substring($hash($states.input.base_model, 'SHA-256'), 0, 32) %}",
            "Input": "{% $string({'params': {$states.input.param: $states.input.base_model}}) %}",
        },
        task_timeout=sfn.Timeout.duration(cdk.Duration.minutes(1)),
        outputs="{% {'pipeline': $states.input.pipeline} %}",
    )


def _add_onboarding(scope: Construct, home: Place, function: Function) -> str:
    """Check a use case's account, then put the shared components into it.

    Input: what `account_handlers.onboarding` takes as `usecase`. A role that was made a moment ago is not
    known everywhere yet, so the check is tried for some minutes.
    """
    check = _call_onboarding(scope, "Check", home, action="check")
    check.add_retry(
        errors=["NotReadyError", "ClientError"],
        interval=cdk.Duration.seconds(15),
        max_attempts=6,
        backoff_rate=2,
    )
    provision = _call_onboarding(scope, "Provision", home, action="provision")
    provision.add_retry(
        errors=["States.TaskFailed"], interval=cdk.Duration.seconds(5), max_attempts=3, backoff_rate=2
    )
    ready = sfn.Succeed(scope, "Ready")
    statements = [allow(["lambda:InvokeFunction"], [home.function(_ONBOARDING_FUNCTION)])]
    arn = _add_machine(scope, ONBOARDING, check.next(provision).next(ready), home, statements)
    scope.node.find_child(ONBOARDING).node.add_dependency(function)
    return arn


def _call_onboarding(scope: Construct, state: str, home: Place, *, action: str) -> sfn_tasks.LambdaInvoke:
    function = lambda_.Function.from_function_attributes(
        scope,
        f"{state}Function",
        function_arn=home.function(_ONBOARDING_FUNCTION),
        same_environment=True,
        skip_permissions=True,
    )
    return sfn_tasks.LambdaInvoke.jsonata(
        scope,
        state,
        lambda_function=function,
        payload=sfn.TaskInput.from_object({"action": action, "usecase": "{% $states.input %}"}),
        outputs="{% $states.input %}",
        retry_on_service_exceptions=True,
        task_timeout=sfn.Timeout.duration(cdk.Duration.minutes(5)),
    )


def _add_onboarding_function(scope: Construct, home: Place, usecases: Sequence[UseCase]) -> Function:
    name = platform.function_name(_ONBOARDING_FUNCTION)
    files = uploads.read_onboarding()
    plan = FunctionPlan(
        name=name,
        handler="account_handlers.onboarding.handler",
        role_name=platform.function_role_name(_ONBOARDING_FUNCTION),
        statements=[*enter_statements(usecases), log_statement(home, name)],
        called_back=True,
        seconds=300,
    )
    code = uploads.stage(scope, "OnboardingCode", name="onboarding.zip", content=packages.pack(files))
    return Function(scope, "Onboard", plan=plan, code=code)


def _add_machine(
    scope: Construct,
    name: str,
    chain: sfn.IChainable,
    home: Place,
    statements: Sequence[Mapping[str, object]],
) -> str:
    """Add a workflow whose role has exactly these rights, its log's and its traces'."""
    role = add_role(
        scope,
        f"{name}-role",
        name=None,
        trust=[trust_service("states", account=home.account)],
        statements=statements,
        telemetry=TELEMETRY,
    )
    machine = sfn.StateMachine(
        scope,
        name,
        state_machine_name=name,
        definition_body=sfn.DefinitionBody.from_chainable(chain),
        query_language=sfn.QueryLanguage.JSONATA,
        role=iam.Role.from_role_arn(scope, f"{name}-imported", role.attr_arn, mutable=False),
        timeout=cdk.Duration.hours(1),
        tracing_enabled=True,
    )
    resource = machine.node.default_child
    add_machine_log(scope, name, resource)
    arn: str = machine.state_machine_arn
    return arn
