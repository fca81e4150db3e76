"""What a Task's `Resource` may name: pure. Everything else is refused when the machine is created.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html,
https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html,
https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html and
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_cloud.engine.expression import Template

TOKEN, SYNC = "waitForTaskToken", "sync:2"
SDK = "aws-sdk:"
_OPTIMIZED = {
    "lambda:invoke": (
        frozenset({"", TOKEN}),
        frozenset({"FunctionName"}),
        frozenset({"FunctionName", "Payload", "Qualifier", "InvocationType"}),
    ),
    "states:startExecution": (
        frozenset({"", TOKEN, SYNC}),
        frozenset({"StateMachineArn"}),
        frozenset({"StateMachineArn", "Input", "Name"}),
    ),
}
"""The optimised integrations that are run: their patterns, the arguments they need, and all they take."""
_RESOURCE = re.compile(
    r"arn:aws[a-z-]*:states:::(?P<service>[a-z0-9-]+(?::\w+)+?)(?:\.(?P<pattern>\w+(?::\d)?))?"
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class UnknownResourceError(ValueError):
    """A resource that this engine does not run; the message says why, and what it runs."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What a Task calls, and how it waits: for nothing, for a token, or for the execution it starts."""

    arn: str
    service: str
    """Such as `lambda:invoke` or `aws-sdk:s3:getObject`."""
    pattern: str


def parse(arn: str) -> Resource:
    """Return what a `Resource` names; raises UnknownResourceError."""
    match = _RESOURCE.fullmatch(arn)
    service, pattern = (match["service"], match["pattern"] or "") if match else ("", "")
    if service.startswith(SDK) and service.count(":") == 2:
        _check_call(service)
        patterns = frozenset({"", TOKEN})
    elif service in _OPTIMIZED:
        patterns = _OPTIMIZED[service][0]
    else:
        message = f"'{arn}' is not supported; this engine runs {_runnable()}"
        raise UnknownResourceError(message)
    if pattern not in patterns:
        known = ", ".join(f"'.{one}'" for one in sorted(patterns - {""}))
        message = f"'{arn}' is not supported: {service} runs here without a suffix, or with {known}"
        raise UnknownResourceError(message)
    return Resource(arn=arn, service=service, pattern=pattern)


def problems(resource: Resource, arguments: Template) -> list[str]:
    """Return what is wrong with a Task's arguments, as far as literals tell."""
    if not isinstance(arguments, dict):
        return []
    if resource.service.startswith(SDK):
        from local_cloud.engine import sdk

        return [
            f"{each} for {resource.service}" for each in sdk.action_of(resource.service).problems(arguments)
        ]
    _, needed, known = _OPTIMIZED[resource.service]
    unknown = [f"'{name}' is not supported by {resource.service}" for name in sorted(set(arguments) - known)]
    return unknown + [f"'{name}' is missing" for name in sorted(needed - set(arguments))]


def is_role(text: str) -> bool:
    """Tell whether a text is the ARN of an IAM role."""
    return bool(_ROLE.fullmatch(text))


def _check_call(service: str) -> None:
    from local_cloud.engine import catalogue, sdk

    try:
        sdk.action_of(service)
    except catalogue.UnknownCallError as error:
        raise UnknownResourceError(str(error)) from None


def _runnable() -> str:
    names = [f"arn:aws:states:::{name}" for name in _OPTIMIZED]
    return ", ".join([*names, "arn:aws:states:::aws-sdk:<service>:<action>"])
