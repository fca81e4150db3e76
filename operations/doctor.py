"""`doctor`: what stands in the way of runs on AWS, one line each, with the command that mends it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.bucket_access import Match, Request, judge
from operations.errors import DENIED, OperationError, error_code, explain
from operations.session import ask
from pipelines import platform, rights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from operations.session import Aws, Caller, Client, Settings
    from pipelines.machine import Machine
    from pipelines.usecase import UseCase

_DEPLOY = "edgepipe deploy"
_QUOTAS = {"train": "training job", "compile": "processing job"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at; `remedy` is the command that mends it, where there is one.

    What is not `sure` could not be looked at, or depends on what only a request knows: then `ok` says that
    nothing wrong was found, and `remedy` is the command that looks.
    """

    name: str
    ok: bool
    message: str
    remedy: str = ""
    sure: bool = True

    def render(self) -> str:
        """Return one line."""
        remedy = f". To {'mend it' if self.sure else 'be sure'}: {self.remedy}" if self.remedy else ""
        verdict = ("ok   " if self.ok else "WRONG") if self.sure else "?    "
        return f"{verdict} {self.name}: {self.message}{remedy}"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Whose platform is looked at: the session, the use cases, and the definition whose quotas count."""

    aws: Aws
    settings: Settings
    usecases: Sequence[UseCase]
    machine: Machine | None = None


def examine(visit: Visit) -> Iterator[Check]:
    """Yield every check; without credentials there is only that one."""
    try:
        caller = visit.aws.caller()
    except Exception as error:  # whatever is wrong with credentials is what doctor is asked about
        yield Check(name="credentials", ok=False, message=_explain(error, visit))
        return
    yield Check(name="credentials", ok=True, message=str(caller))
    yield from _check_homes(caller, visit.usecases)
    for name, check in _PLATFORM.items():
        yield from _guard(name, lambda check=check: check(visit.aws, caller), visit)  # type: ignore[misc] # mypy cannot infer a lambda with a default
    for usecase in visit.usecases:
        yield from examine_usecase(visit, usecase)


def examine_usecase(visit: Visit, usecase: UseCase) -> Iterator[Check]:
    """Yield the checks of one use case's accounts: may we in, do its handlers, are its buckets there."""
    name = f"use case {usecase.id}"
    try:
        there = visit.aws.enter(usecase)
    except Exception as error:  # as above
        yield Check(name=f"{name}, role", ok=False, message=_explain(error, visit))
        yield _unseen_bootstrap(name, usecase.account, usecase.region)
        if usecase.data:
            yield _unseen_bootstrap(f"{name}, images", usecase.data.account, usecase.region)
        return
    yield Check(name=f"{name}, role", ok=True, message=f"{usecase.operator} lets us in with its ExternalId")
    checks: dict[str, Callable[[], Iterable[Check]]] = {
        f"{name}, bootstrap": lambda: _look_for_bootstrap(there, name, usecase.account),
        f"{name}, handlers": lambda: _check_trust(there, usecase),
        f"{name}, buckets": lambda: _check_buckets(there, usecase),
        f"{name}, images": lambda: _check_images(visit.aws, there, usecase),
        f"{name}, quotas": lambda: _check_quotas(there, visit.machine, usecase),
    }
    for what, check in checks.items():
        yield from _guard(what, check, visit)


def judge_trust(document: Mapping[str, Any], callers: Iterable[str], external_id: str) -> str:
    """Say what a role's trust policy lacks for these callers and this ExternalId; nothing, if nothing."""
    trusted: set[str] = set()
    for statement in document.get("Statement", ()):
        asked = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
        if statement.get("Effect") == "Allow" and external_id in _texts(asked):
            trusted.update(_texts(statement.get("Principal", {}).get("AWS")))
    lacking = [each for each in callers if each not in trusted]
    return f"it does not trust {', '.join(lacking)} with this ExternalId" if lacking else ""


def instance_types(machine: Machine) -> set[tuple[str, str]]:
    """Return (instance type, name of its quota) of each job that a definition starts."""
    found = set()
    for task in machine.tasks:
        instance = machine.default(task.config.get("instance"))
        if task.kind in _QUOTAS and isinstance(instance, str) and instance.startswith("ml."):
            spot = (
                "spot " if task.kind == "train" and machine.default(task.config.get("spot")) is True else ""
            )
            found.add((instance, f"{instance} for {spot}{_QUOTAS[task.kind]} usage"))
    return found


def _guard(name: str, check: Callable[[], Iterable[Check]], visit: Visit) -> Iterator[Check]:
    """Yield what a check yields; one that AWS does not let us make is wrong too, and says so."""
    try:
        yield from list(check())
    except Exception as error:  # one check that cannot be made must not hide the others
        yield Check(name=name, ok=False, message=_explain(error, visit))


def _explain(error: Exception, visit: Visit) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, OperationError):
        return str(error)
    if isinstance(error, ClientError | BotoCoreError):
        return explain(error, visit.settings)
    raise error


def _check_homes(caller: Caller, usecases: Sequence[UseCase]) -> Iterator[Check]:
    for usecase in usecases:
        home = usecase.orchestrator
        here = (home.account, home.region) == (caller.account, caller.region)
        message = f"use case {usecase.id} is run from {home.account} in {home.region}"
        remedy = "" if here else f"use a --profile of {home.account} and --region {home.region}"
        yield Check(name="account", ok=here, message=message, remedy=remedy)


def _check_bootstrap(aws: Aws, caller: Caller) -> Iterator[Check]:
    yield _bootstrap("bootstrap", aws, caller.account)


def _bootstrap(name: str, aws: Aws, account: str) -> Check:
    """Look for what `cdk bootstrap` leaves behind, in the account that the session is in."""
    found = ask(aws.client("ssm").get_parameter, "ParameterNotFound", Name=platform.BOOTSTRAP)
    message = f"CDK's, version {found['Parameter']['Value']}" if found else "CDK has never been set up here"
    remedy = "" if found else f"npx cdk bootstrap aws://{account}/{aws.region}"
    return Check(name=name, ok=bool(found), message=message, remedy=remedy)


def _look_for_bootstrap(there: Aws, name: str, account: str) -> Iterator[Check]:
    """Look in another account, as far as the role there lets us."""
    try:
        yield _bootstrap(f"{name}, bootstrap", there, account)
    except Exception as error:
        if error_code(error) not in DENIED:
            raise
        yield _unseen_bootstrap(name, account, there.region)


def _unseen_bootstrap(name: str, account: str, region: str) -> Check:
    look = f"aws ssm get-parameter --name {platform.BOOTSTRAP} --region {region} --profile PROFILE"
    message = f"account {account} cannot be looked into from here"
    remedy = f"{look} (a profile of {account})"
    return Check(name=f"{name}, bootstrap", ok=True, sure=False, message=message, remedy=remedy)


def _check_table(aws: Aws, _caller: Caller) -> Iterator[Check]:
    table = platform.JOBS_TABLE
    found = ask(aws.client("dynamodb").describe_table, "ResourceNotFoundException", TableName=table)
    message = f"{table} is there" if found else f"there is no {table}"
    yield Check(name="table", ok=bool(found), message=message, remedy="" if found else _DEPLOY)


def _check_functions(aws: Aws, _caller: Caller) -> Iterator[Check]:
    client = aws.client("lambda")
    names = [platform.function_name(n) for n in (*platform.kind_functions(), *platform.SERVICE_FUNCTIONS)]
    absent = [
        n
        for n in names
        if not ask(client.get_function_configuration, "ResourceNotFoundException", FunctionName=n)
    ]
    message = f"there is no {', '.join(absent)}" if absent else f"all {len(names)} are there"
    yield Check(name="functions", ok=not absent, message=message, remedy=_DEPLOY if absent else "")


def _check_alarms(aws: Aws, _caller: Caller) -> Iterator[Check]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix="edgepipe")
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    ringing = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
    if not alarms:
        yield Check(name="alarms", ok=False, message="there are none", remedy=_DEPLOY)
    elif ringing:
        message = f"{', '.join(ringing)}: docs/operations.md says what each means"
        yield Check(name="alarms", ok=False, message=message)
    else:
        yield Check(name="alarms", ok=True, message=f"{len(alarms)} are there and quiet")


_PLATFORM = {
    "bootstrap": _check_bootstrap,
    "table": _check_table,
    "functions": _check_functions,
    "alarms": _check_alarms,
}


def _check_trust(there: Aws, usecase: UseCase) -> Iterator[Check]:
    """Read whom the handlers' role trusts: what they may do can only be tried by them."""
    home = usecase.orchestrator.account
    names = (*platform.kind_functions(), *platform.SERVICE_FUNCTIONS)
    entering = [name for name in names if "sts:AssumeRole" in rights.HANDLERS[name]]
    callers = [f"arn:aws:iam::{home}:role/{platform.function_role_name(name)}" for name in entering]
    role = there.client("iam").get_role(RoleName=usecase.role_arn.rsplit("/", 1)[1])["Role"]
    document = role["AssumeRolePolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    wrong = judge_trust(document, callers, usecase.external_id)
    message = f"{usecase.role_arn}: {wrong or 'it trusts the handlers, with this ExternalId'}"
    yield Check(
        name=f"use case {usecase.id}, handlers",
        ok=not wrong,
        message=message,
        remedy=_register(usecase, wrong),
    )


def _check_buckets(there: Aws, usecase: UseCase) -> Iterator[Check]:
    own = [usecase.results_bucket, usecase.component_bucket, *([] if usecase.data else [usecase.data_bucket])]
    s3 = there.client("s3")
    absent = [name for name in own if not ask(s3.head_bucket, "404", "NoSuchBucket", Bucket=name)]
    message = f"there is no {', '.join(absent)}" if absent else f"{', '.join(own)} are there"
    name = f"use case {usecase.id}, buckets"
    yield Check(name=name, ok=not absent, message=message, remedy=_register(usecase, absent))


def _check_images(aws: Aws, there: Aws, usecase: UseCase) -> Iterator[Check]:
    """Read the data bucket's policy: in an account of its own by the role that people read images under."""
    data, name = usecase.data, f"use case {usecase.id}, images"
    if data and not data.role_arn:
        yield _unseen_bootstrap(name, data.account, usecase.region)
        message = f"the policy of {usecase.data_bucket} in {data.account} cannot be read from here"
        yield Check(name=name, ok=True, sure=False, message=message, remedy=_read_policy(usecase))
        return
    if data and data.role_arn:
        there = aws.assume(data.role_arn, data.external_id or usecase.external_id, region=usecase.region)
        yield from _look_for_bootstrap(there, name, data.account)
    reply = ask(there.client("s3").get_bucket_policy, "NoSuchBucketPolicy", Bucket=usecase.data_bucket)
    yield judge_images(json.loads(reply["Policy"]) if reply else {}, usecase)


def judge_images(policy: Mapping[str, Any], usecase: UseCase) -> Check:
    """Say whether a data bucket's policy lets the use case's roles do what handlers and jobs do there."""
    name, bucket = f"use case {usecase.id}, images", f"arn:aws:s3:::{usecase.data_bucket}"
    found: dict[Match, list[str]] = {match: [] for match in Match}
    for role in (usecase.role_arn, usecase.execution_role_arn):
        for action, resource in (("s3:GetObject", f"{bucket}/*"), ("s3:ListBucket", bucket)):
            request = Request(role=role, action=action, resource=resource)
            verdict = judge(policy, request, own_account=usecase.data is None)
            found[verdict.allowed].append(f"{action} by {role}: {verdict.reason}")
    if found[Match.NO]:
        message = f"the policy of {usecase.data_bucket} refuses {'; '.join(found[Match.NO])}"
        ours = any("nothing allows" in each for each in found[Match.NO])
        remedy = _register(usecase, ours) or "have the bucket's owner change that statement"
        return Check(name=name, ok=False, message=message, remedy=remedy)
    if found[Match.UNSURE]:
        message = f"the policy of {usecase.data_bucket} leaves open {'; '.join(found[Match.UNSURE])}"
        return Check(name=name, ok=True, sure=False, message=message, remedy=_read_policy(usecase))
    return Check(name=name, ok=True, message=f"{usecase.data_bucket} lets the use case's roles list and read")


def _read_policy(usecase: UseCase) -> str:
    account = usecase.data.account if usecase.data else usecase.account
    return (
        f"aws s3api get-bucket-policy --bucket {usecase.data_bucket} --profile PROFILE "
        f"(a profile of {account}), and read it"
    )


def _check_quotas(there: Aws, machine: Machine | None, usecase: UseCase) -> Iterator[Check]:
    wanted = {quota for _, quota in instance_types(machine)} if machine else set()
    if not wanted:
        return
    quotas = there.client("service-quotas")
    known = _read_quotas(quotas, "list_service_quotas")
    if wanted - set(known):  # that list has only what was ever set
        known = {**_read_quotas(quotas, "list_aws_default_service_quotas"), **known}
    for name in sorted(wanted):
        yield _judge_quota(name, known.get(name), usecase)


def _read_quotas(client: Client, operation: str) -> dict[str, Mapping[str, Any]]:
    pages = client.get_paginator(operation).paginate(ServiceCode="sagemaker")
    return {each["QuotaName"]: each for page in pages for each in page["Quotas"]}


def _judge_quota(name: str, found: Mapping[str, Any] | None, usecase: UseCase) -> Check:
    title = f"use case {usecase.id}, quota"
    if found is None:
        message = f"AWS lists no quota of the name '{name}'"
        look = f"aws service-quotas list-service-quotas --service-code sagemaker --region {usecase.region}"
        return Check(name=title, ok=True, sure=False, message=message, remedy=look)
    value = found["Value"]
    ask_for_more = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {found['QuotaCode']} --desired-value 1 --region {usecase.region} "
        f"(in account {usecase.account})"
    )
    remedy = "" if value else ask_for_more
    return Check(name=title, ok=bool(value), message=f"{name}: {value:g}", remedy=remedy)


def _register(usecase: UseCase, wrong: object) -> str:
    return f"edgepipe usecase register {usecase.id}" if wrong else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value] if isinstance(value, list) else []
