"""The orchestrator's account: handlers, the table of open jobs, sweeper and listener, alarms, workflows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from pipelines import packages, platform
from pipelines.states import JUDGE
from stacks import uploads
from stacks.alarms import Bell, When, function_metric, log_metric, machine_metric
from stacks.deployment import DeploymentFunctions
from stacks.functions import Function
from stacks.people import add_policies
from stacks.permissions import CUSTOM, function_statements
from stacks.roles import add_role, trust_service
from stacks.services import Listener, Sweeper, plan_function
from stacks.workflows import Workflows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_s3_assets as s3_assets
    from constructs import Construct

    from pipelines.usecase import UseCase
    from stacks.functions import DeadLetters
    from stacks.places import Place

SILENT_MINUTES = 5
OVERDUE_MINUTES = 3


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """How many of the functions that nobody waits for may run at once; None reserves none of the account's.

    A new account may have no executions to reserve: `cdk deploy -c reserve=no` leaves both out.
    """

    sweeper: int | None = 2
    events: int | None = 10


class OrchestratorStack(cdk.Stack):
    """The platform itself: one in an account."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        home: Place,
        usecases: Sequence[UseCase],
        concurrency: Concurrency,
    ) -> None:
        env = cdk.Environment(account=home.account, region=home.region)
        super().__init__(scope, construct_id, env=env, description="edgepipe: the orchestrator")
        code = uploads.stage(
            self, "Handlers", name="handlers.zip", content=packages.pack(packages.read_handlers())
        )
        common: dict[str, Any] = {"home": home, "usecases": usecases, "code": code}
        _add_jobs_table(self)
        _add_step_functions(self, **common)
        sweeper = Sweeper(self, "Sweeper", concurrency=concurrency.sweeper, **common)
        listener = Listener(self, "Listener", concurrency=concurrency.events, **common)
        deployment = DeploymentFunctions(self, "Deployment", home=home, usecases=usecases)
        add_policies(self, home, usecases)
        workflows = Workflows(self, "Workflows", home=home, usecases=usecases)
        bell = Bell(self, "Bell", name="edgepipe-alarms")
        _add_alarms(bell, sweeper, workflows)
        _add_dead_letter_alarms(bell, sweeper, listener, deployment)
        _add_dashboard(self, sweeper, listener)
        cdk.CfnOutput(self, "AlarmTopic", value=bell.topic.topic_arn)


def _add_jobs_table(scope: Construct) -> None:
    schema = platform.JOBS_TABLE_SCHEMA
    dynamodb.CfnTable(
        scope,
        "Jobs",
        table_name=platform.JOBS_TABLE,
        billing_mode=schema["BillingMode"],
        attribute_definitions=_camel(schema["AttributeDefinitions"]),
        key_schema=_camel(schema["KeySchema"]),
        global_secondary_indexes=_camel(schema["GlobalSecondaryIndexes"]),
        point_in_time_recovery_specification={"pointInTimeRecoveryEnabled": True},
        deletion_protection_enabled=True,
    )


def _add_step_functions(
    scope: Construct, *, home: Place, usecases: Sequence[UseCase], code: s3_assets.Asset
) -> None:
    """Add what Step Functions calls and waits for, and the role that the functions of custom steps share."""
    called = {**platform.kind_functions(), JUDGE: platform.SERVICE_FUNCTIONS[JUDGE]}
    for name, handler in sorted(called.items()):
        Function(scope, name, plan=plan_function(name, handler, home, usecases), code=code)
    add_role(
        scope,
        "custom-role",
        name=platform.function_role_name(CUSTOM),
        trust=[trust_service("lambda")],
        statements=function_statements(CUSTOM, home, usecases),
    )


def _add_alarms(bell: Bell, sweeper: Sweeper, workflows: Workflows) -> None:
    silent = When(
        means="the sweeper does not run: nobody answers for jobs that end",
        threshold=1,
        periods=SILENT_MINUTES,
        below=True,
        missing_is_bad=True,
    )
    errors = When(means="the sweeper fails; its log names the jobs", periods=3)
    stuck = When(means="jobs are open two sweeps past their deadline", periods=OVERDUE_MINUTES)
    bell.ring("SweeperSilent", function_metric(sweeper.function, "Invocations"), silent)
    bell.ring("SweeperErrors", function_metric(sweeper.function, "Errors"), errors)
    bell.ring(
        "JobsStuck", log_metric(bell, "Overdue", log_group=sweeper.function.log, field="overdue"), stuck
    )
    for name, arn in workflows.machines.items():
        failed = When(means=f"the workflow {name} failed; its execution says why")
        bell.ring(f"{name}-failed", machine_metric(arn, "ExecutionsFailed"), failed)


def _add_dead_letter_alarms(
    bell: Bell, sweeper: Sweeper, listener: Listener, deployment: DeploymentFunctions
) -> None:
    queues: Mapping[str, DeadLetters | None] = {
        "sweeps": sweeper.undelivered,
        "sweeper": sweeper.function.dead_letters,
        "forwarded events": listener.undelivered,
        "events": listener.function.dead_letters,
        **{name: function.dead_letters for name, function in deployment.functions.items()},
    }
    for name, letters in queues.items():
        if letters:
            bell.ring_for_dead_letters(letters, of=name)


def _add_dashboard(scope: Construct, sweeper: Sweeper, listener: Listener) -> None:
    jobs = log_metric(scope, "Open", log_group=sweeper.function.log, field="open")
    board = cloudwatch.Dashboard(scope, "Dashboard", dashboard_name="edgepipe")
    board.add_widgets(
        _graph("Open jobs", jobs),
        *(
            _graph(title, *(function_metric(function, name) for name in ("Invocations", "Errors")))
            for title, function in {"Sweeper": sweeper.function, "Events": listener.function}.items()
        ),
    )


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)


def _camel(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Write the keys of an API's request as CDK's properties are: KeySchema as keySchema."""
    if isinstance(value, dict):
        return {f"{key[:1].lower()}{key[1:]}": _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value
