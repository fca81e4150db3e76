"""Which calls to AWS are made, in whose name, and what IAM asks for each.

What a call needs: docs.aws.amazon.com/service-authorization/latest/reference, the page of its service. A call
that is not in the tables below fails its test: whoever adds one says here what it needs.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from botocore.client import BaseClient

from local_cloud import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

PERSON = "person"
"""Who calls when no function does."""

IAM_PREFIXES = {"greengrassv2": "greengrass", "stepfunctions": "states", "service-quotas": "servicequotas"}

ON_IOT = frozenset(
    f"iot:{name}"
    for name in (
        "CancelJob",
        "CreateJob",
        "DeleteThingShadow",
        "DescribeJob",
        "DescribeThing",
        "DescribeThingGroup",
        "GetThingShadow",
        "UpdateJob",
        "UpdateThingShadow",
    )
)
"""What Greengrass does in the name of who creates a deployment, its dependent actions."""
ON_CANCEL = ON_IOT - {"iot:CreateJob"}
"""The same for who cancels one."""


@dataclass(frozen=True, kw_only=True, order=True)
class Need:
    """One action on one resource, by the caller's own right or by that of a role that it has entered."""

    caller: str
    role: str
    action: str
    resource: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as it was made; `missing` says that the service knew no such thing."""

    caller: str
    session: str
    """The ARN of the role that was entered, or empty."""
    service: str
    operation: str
    request: Mapping[str, Any]
    missing: bool

    def needs(self) -> Iterator[Need]:
        """Yield what IAM asks for the call."""
        role = self.session.rpartition("/")[2]
        for action, resource in _needs(self):
            yield Need(caller=self.caller, role=role, action=action, resource=resource)


@dataclass
class Calls:
    """What has been called so far."""

    made: list[Call] = field(default_factory=list)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Access key → who entered, and which role."""
    targets: dict[str, str] = field(default_factory=dict)
    """Deployment → whom it is for: a request to cancel one does not say."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def needs(self) -> set[Need]:
        """Return everything that IAM was asked for."""
        with self._lock:
            return set(itertools.chain.from_iterable(call.needs() for call in self.made))

    def made_by(self, caller: str, operation: str) -> bool:
        """Say whether somebody has made such a call."""
        with self._lock:
            return any((call.caller, call.operation) == (caller, operation) for call in self.made)

    def note(self, client: BaseClient, operation: str, request: Mapping[str, Any], missing: bool) -> None:
        """Note a call that edgepipe made: the cloud's own clients do not say that they are edgepipe's."""
        if client.meta.config.user_agent_extra != "edgepipe":
            return
        caller, session = self.sessions.get(access_key(client), (here(), ""))
        with self._lock:
            self.made.append(
                Call(
                    caller=caller,
                    session=session,
                    service=client.meta.service_model.service_name,
                    operation=operation,
                    request=request,
                    missing=missing,
                )
            )


def here() -> str:
    """Return the function that calls, or that it is a person."""
    place = sandbox._place.get()
    return place.principal.split("/")[1].removeprefix("edgepipe-function-") if place else PERSON


def access_key(client: Any) -> str:
    return str(client._request_signer._credentials.access_key)


class OwnClients(dict[tuple[str, ...], Any]):
    """The handlers' clients, those of each function apart: on AWS each has a process of its own."""

    def get(self, key: tuple[str, ...], default: Any = None) -> Any:
        return super().get((here(), *key), default)

    def __setitem__(self, key: tuple[str, ...], value: Any) -> None:
        super().__setitem__((here(), *key), value)


def record(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Note every call that edgepipe makes from now on."""
    from tasks import aws

    calls = Calls()
    real = BaseClient._make_api_call

    def call(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
        asked = dict(request)  # botocore writes into what it is given
        if operation == "CancelDeployment":
            asked["targetArn"] = calls.targets[request["deploymentId"]]
        try:
            reply = real(client, operation, request)
        except Exception as error:
            calls.note(client, operation, asked, _says_missing(error))
            raise
        if operation == "CreateDeployment":
            calls.targets[reply["deploymentId"]] = asked["targetArn"]
        if operation == "AssumeRole":
            calls.sessions[reply["Credentials"]["AccessKeyId"]] = (here(), request["RoleArn"])
        calls.note(client, operation, asked, missing=False)
        return reply

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(aws, "_clients", OwnClients())
    return calls


def _says_missing(error: Exception) -> bool:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return bool(response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404)


def _needs(call: Call) -> Iterator[tuple[str, str]]:
    table = _TABLES[call.service]
    if call.operation not in table:
        message = f"say in {__name__} what {call.service}:{call.operation} needs"
        raise AssertionError(message)
    yield from table[call.operation](call)


def _plain(*resource: str) -> Callable[[Call], Iterator[tuple[str, str]]]:
    """Return what needs the action of its own name, on the ARN in a field of the request, or on `*`."""

    def needs(call: Call) -> Iterator[tuple[str, str]]:
        prefix = IAM_PREFIXES.get(call.service, call.service)
        yield f"{prefix}:{call.operation}", str(call.request[resource[0]]) if resource else "*"

    return needs


def _read_object(call: Call) -> Iterator[tuple[str, str]]:
    yield "s3:GetObject", f"arn:aws:s3:::{call.request['Bucket']}/{call.request['Key']}"
    if call.missing:  # without ListBucket S3 answers AccessDenied instead of NoSuchKey
        yield from _list_bucket(call)


def _list_bucket(call: Call) -> Iterator[tuple[str, str]]:
    yield "s3:ListBucket", f"arn:aws:s3:::{call.request['Bucket']}"


def _bucket(call: Call) -> Iterator[tuple[str, str]]:
    yield f"s3:{call.operation}", f"arn:aws:s3:::{call.request['Bucket']}"


def _write_object(call: Call) -> Iterator[tuple[str, str]]:
    yield "s3:PutObject", f"arn:aws:s3:::{call.request['Bucket']}/{call.request['Key']}"


def _copy_object(call: Call) -> Iterator[tuple[str, str]]:
    source = call.request["CopySource"]
    yield "s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}"
    yield from _write_object(call)


def _table(call: Call) -> Iterator[tuple[str, str]]:
    index = f"/index/{call.request['IndexName']}" if "IndexName" in call.request else ""
    name = f"arn:aws:dynamodb:us-east-1:123456789012:table/{call.request['TableName']}"
    yield f"dynamodb:{call.operation}", f"{name}{index}"


def _home(service: str, form: str, field: str) -> Callable[[Call], Iterator[tuple[str, str]]]:
    """Return what needs the action of its own name, on a resource that a field of the request names."""

    def needs(call: Call) -> Iterator[tuple[str, str]]:
        arn = f"arn:aws:{service}:us-east-1:{_account(call)}:{form.format(call.request[field])}"
        yield f"{IAM_PREFIXES.get(call.service, call.service)}:{call.operation}", arn

    return needs


def _create_function(call: Call) -> Iterator[tuple[str, str]]:
    yield from _home("lambda", "function:{}", "FunctionName")(call)
    yield "iam:PassRole", str(call.request["Role"])


def _write_machine(call: Call) -> Iterator[tuple[str, str]]:
    """Yield what making or changing a state machine takes: its role is passed to Step Functions."""
    named = f"arn:aws:states:us-east-1:{_account(call)}:stateMachine:{call.request.get('name')}"
    arn = str(call.request.get("stateMachineArn", named))
    yield f"states:{call.operation}", arn
    yield "iam:PassRole", str(call.request["roleArn"])
    if call.request.get("publish"):
        yield "states:PublishStateMachineVersion", arn


def _create_alias(call: Call) -> Iterator[tuple[str, str]]:
    version = str(call.request["routingConfiguration"][0]["stateMachineVersionArn"])
    yield "states:CreateStateMachineAlias", version.rpartition(":")[0]


def _alarms(call: Call) -> Iterator[tuple[str, str]]:
    yield "cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-1:{_account(call)}:alarm:*"


def _role(call: Call) -> Iterator[tuple[str, str]]:
    yield f"iam:{call.operation}", f"arn:aws:iam::{_account(call)}:role/{call.request['RoleName']}"


def _parameter(call: Call) -> Iterator[tuple[str, str]]:
    yield "ssm:GetParameter", f"arn:aws:ssm:us-east-1:{_account(call)}:parameter{call.request['Name']}"


def _account(call: Call) -> str:
    """Return the account that a call is made in: a role's, or the orchestrator's."""
    return call.session.split(":")[4] if call.session else "123456789012"


def _sagemaker(call: Call) -> Iterator[tuple[str, str]]:
    field, noun = next(
        each
        for each in (
            ("TrainingJobName", "training-job"),
            ("ProcessingJobName", "processing-job"),
            ("LabelingJobName", "labeling-job"),
        )
        if each[0] in call.request
    )
    arn = f"arn:aws:sagemaker:us-east-1:{_account(call)}:{noun}/{call.request[field]}"
    yield f"sagemaker:{call.operation}", arn
    if "RoleArn" in call.request:
        yield "iam:PassRole", str(call.request["RoleArn"])
    if call.request.get("Tags"):
        yield "sagemaker:AddTags", arn


def _greengrass(call: Call, resource: str) -> tuple[str, str]:
    return f"greengrass:{call.operation}", f"arn:aws:greengrass:us-east-1:{_account(call)}:{resource}"


def _device(call: Call) -> Iterator[tuple[str, str]]:
    yield _greengrass(call, f"coreDevices:{call.request['coreDeviceThingName']}")


def _create_component(call: Call) -> Iterator[tuple[str, str]]:
    recipe = yaml.safe_load(call.request["inlineRecipe"])
    name = f"components:{recipe['ComponentName']}:versions:{recipe['ComponentVersion']}"
    yield _greengrass(call, name)
    if call.request.get("tags"):
        yield "greengrass:TagResource", _greengrass(call, name)[1]


def _create_deployment(call: Call) -> Iterator[tuple[str, str]]:
    yield "greengrass:CreateDeployment", "*"
    if call.request.get("tags"):
        yield "greengrass:TagResource", _greengrass(call, "deployments:new")[1]
    yield from _on_iot(call, ON_IOT)


def _deployment(call: Call) -> Iterator[tuple[str, str]]:
    yield _greengrass(call, f"deployments:{call.request['deploymentId']}")


def _cancel_deployment(call: Call) -> Iterator[tuple[str, str]]:
    yield from _deployment(call)
    yield from _on_iot(call, ON_CANCEL)


def _on_iot(call: Call, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what a deployment does to IoT's jobs, and to a thing's shadow."""
    arn, target = f"arn:aws:iot:us-east-1:{_account(call)}", str(call.request["targetArn"])
    for action in wanted:
        if action.endswith("Job"):
            yield action, f"{arn}:job/new"
        elif (":thinggroup/" if "Group" in action else ":thing/") in target:
            yield action, target


_TABLES: Mapping[str, Mapping[str, Callable[[Call], Iterator[tuple[str, str]]]]] = {
    "sts": {"AssumeRole": _plain("RoleArn"), "GetCallerIdentity": lambda _: iter(())},
    "s3": {
        "CopyObject": _copy_object,
        "GetBucketPolicy": _bucket,
        "GetObject": _read_object,
        "HeadBucket": _list_bucket,
        "HeadObject": _read_object,
        "ListObjectsV2": _list_bucket,
        "PutObject": _write_object,
    },
    "dynamodb": dict.fromkeys(("DescribeTable", "GetItem", "PutItem", "Query", "UpdateItem"), _table),
    "sagemaker": {
        f"{verb}{noun}": _sagemaker
        for verb in ("Create", "Describe", "Stop")
        for noun in ("TrainingJob", "ProcessingJob", "LabelingJob")
    },
    "greengrassv2": {
        "CancelDeployment": _cancel_deployment,
        "CreateComponentVersion": _create_component,
        "CreateDeployment": _create_deployment,
        "DescribeComponent": _plain("arn"),
        "GetComponent": _plain("arn"),
        "GetCoreDevice": _device,
        "GetDeployment": _deployment,
        "ListComponentVersions": _plain("arn"),
        "ListDeployments": _plain(),
        "ListEffectiveDeployments": _device,
        "ListInstalledComponents": _device,
    },
    "stepfunctions": {
        "CreateStateMachine": _write_machine,
        "CreateStateMachineAlias": _create_alias,
        "DescribeExecution": _plain("executionArn"),
        "DescribeStateMachine": _plain("stateMachineArn"),
        "DescribeStateMachineAlias": _plain("stateMachineAliasArn"),
        "DescribeStateMachineForExecution": _plain("executionArn"),
        "GetExecutionHistory": _plain("executionArn"),
        "ListExecutions": _plain("stateMachineArn"),
        "ListStateMachines": _plain(),
        "ListStateMachineVersions": _plain("stateMachineArn"),
        "ListTagsForResource": _plain("resourceArn"),
        "RedriveExecution": _plain("executionArn"),
        "SendTaskFailure": _plain(),
        "SendTaskHeartbeat": _plain(),
        "SendTaskSuccess": _plain(),
        "StartExecution": _plain("stateMachineArn"),
        "StopExecution": _plain("executionArn"),
        "UpdateStateMachine": _write_machine,
        "UpdateStateMachineAlias": _plain("stateMachineAliasArn"),
    },
    "iam": dict.fromkeys(("CreateRole", "GetRole", "GetRolePolicy", "PutRolePolicy"), _role),
    "lambda": dict.fromkeys(
        ("GetFunction", "GetFunctionConfiguration", "ListVersionsByFunction", "UpdateFunctionCode"),
        _home("lambda", "function:{}", "FunctionName"),
    )
    | {"CreateFunction": _create_function},
    "logs": {"FilterLogEvents": _home("logs", "log-group:{}:*", "logGroupName")},
    "service-quotas": {"ListServiceQuotas": _plain()},
    "sns": {"Publish": _plain("TopicArn")},
    "ssm": {"GetParameter": _parameter},
    "cloudwatch": {"DescribeAlarms": _alarms},
}


def allows(policy: Mapping[str, Any], action: str, resource: str) -> bool:
    """Say whether a policy's statements allow an action on a resource, as IAM matches them."""
    return any(
        action in statement["Action"]
        and any(_matches(pattern, resource) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


def _matches(pattern: str, resource: str) -> bool:
    parts = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split("([*?])", pattern)
    )
    return re.fullmatch("".join(parts), resource) is not None


def actions(policy: Mapping[str, Any]) -> set[str]:
    """Return the actions that a policy names."""
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def fill(policy: Any, markers: Mapping[str, str]) -> Any:
    """Return a derived policy with values for its markers."""
    from pipelines.definition import substitute

    return json.loads(substitute(json.dumps(policy), markers))
