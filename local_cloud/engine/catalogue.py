"""What `aws-sdk:<service>:<action>` may name and take, and how its data and errors are spelt: pure.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
Services, members and errors have the names of the AWS SDK for Java 2, derived here from botocore's models:
`DynamoDb.ConditionalCheckFailedException`, `BucketAlreadyExists` with the suffix `Exception`, `ACL` as `Acl`.
An error that a service's model does not list is the service's own, such as `S3.S3Exception`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.session

from local_cloud.engine.expression import Expression
from pipelines.diagnostics import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

    from local_cloud.engine.expression import Json, Template

RENAMED = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "eventbridge": "events",
    "iotjobsdataplane": "iot-jobs-data",
    "sfn": "stepfunctions",
}
"""Services that Step Functions and botocore name differently, by more than a hyphen."""
_EMPTY: dict[str, Any] = {}


class UnknownCallError(ValueError):
    """A service or an action that does not exist; the message suggests a near one."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of one service."""

    service: str
    """botocore's name."""
    operation: OperationModel

    @property
    def prefix(self) -> str:
        """Return the service's name in errors, such as `DynamoDb`."""
        return _java_service(self.operation.service_model)

    def problems(self, arguments: Template) -> list[str]:
        """Return what is wrong with arguments: unknown and missing names; expressions are not looked into."""
        shape = self.operation.input_shape
        return list(_problems(arguments, shape, "")) if shape is not None else _unwanted(arguments)

    def error_name(self, code: str) -> str:
        """Return the error's name for the code that a service answered."""
        shapes = self.operation.error_shapes
        listed = [one for one in shapes if code in (one.name, one.metadata.get("error", {}).get("code"))]
        listed = listed or [
            one for one in self.operation.service_model.error_shapes if code in (one.name, _code(one))
        ]
        if not listed and code.isdigit() and len(shapes) == 1:
            listed = list(shapes)  # a HEAD request's answer has no body, hence no code but the status
        own = f"{self.prefix}Exception"
        return f"{self.prefix}.{_java_error(listed[0].name, self.prefix) if listed else own}"


@functools.lru_cache(maxsize=256)
def find(service: str, action: str) -> Action:
    """Return the call that a resource names; raises UnknownCallError."""
    model = _model(service)
    operations = {f"{name[0].lower()}{name[1:]}": name for name in model.operation_names}
    if action not in operations:
        message = f"{service} has no action '{action}'{_hint(action, operations)}"
        raise UnknownCallError(message)
    return Action(service=model.service_name, operation=model.operation_model(operations[action]))


def member(name: str) -> str:
    """Return a member's name as the AWS SDK for Java capitalises it: `DBInstance` is `DbInstance`."""
    capitals = len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    if capitals == len(name):
        return name.capitalize()
    head = capitals - 1 if capitals > 1 and name[capitals].islower() else capitals
    lowered = name[:head].lower() + name[head:]
    return lowered[0].upper() + lowered[1:]


def members(shape: Shape) -> dict[str, tuple[str, Shape]]:
    """Return a structure's members by the names that Step Functions gives them: (botocore's name, shape)."""
    found: Mapping[str, Shape] = getattr(shape, "members", _EMPTY)
    return {member(name): (name, inner) for name, inner in found.items()}


def _model(service: str) -> ServiceModel:
    names = _services()
    if service not in names:
        message = f"no service is named '{service}'{_hint(service, names)}"
        raise UnknownCallError(message)
    return _session().get_service_model(names[service])


@functools.cache
def _session() -> Any:  # noqa: ANN401 - botocore has no types
    return botocore.session.get_session()


@functools.cache
def _services() -> dict[str, str]:
    """Return botocore's service names by those that resources use."""
    others = set(RENAMED.values())
    plain = {
        name.replace("-", ""): name for name in _session().get_available_services() if name not in others
    }
    return {**plain, **RENAMED}


def _hint(word: str, known: Mapping[str, str]) -> str:
    near = near_miss(word, [*known, *known.values()])
    renamed = {botocore: ours for ours, botocore in RENAMED.items()}
    found = renamed.get(word) or (renamed.get(near, near) if near else None)
    return f"; did you mean '{found}'?" if found else ""


def _unwanted(arguments: Template) -> list[str]:
    return [f"'{name}' is not known" for name in arguments] if isinstance(arguments, dict) else []


def _problems(value: Template, shape: Shape, place: str) -> Iterator[str]:
    if isinstance(value, Expression):
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        yield from _structure_problems(value, shape, place)
    elif shape.type_name == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, shape.member, f"{place}[{index}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _problems(item, shape.value, f"{place}/{key}")
    elif shape.type_name in ("structure", "list", "map"):
        yield f"'{place}' must be {'an array' if shape.type_name == 'list' else 'an object'}"


def _structure_problems(value: Mapping[str, Template], shape: Shape, place: str) -> Iterator[str]:
    known = members(shape)
    for name in value:
        if name not in known:
            near = near_miss(name, known)
            yield f"'{place}{'/' if place else ''}{name}' is not known" + (
                f"; did you mean '{near}'?" if near else ""
            )
    for name in getattr(shape, "required_members", []):
        if member(name) not in value:
            yield f"'{place}{'/' if place else ''}{member(name)}' is missing"
    for name, item in value.items():
        if name in known:
            yield from _problems(item, known[name][1], f"{place}{'/' if place else ''}{name}")


def _code(shape: Shape) -> Json:
    return shape.metadata.get("error", {}).get("code")


def _java_words(name: str) -> list[str]:
    name = re.sub(r"[^A-Za-z0-9]+", " ", name)
    name = re.sub(r"([a-z])([A-Z][A-Za-z0-9])", r"\1 \2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", name)
    name = re.sub(r"([0-9])([A-Za-z])", r"\1 \2", name)
    return name.split()


def _java_name(name: str) -> str:
    return "".join(word.capitalize() for word in _java_words(name))


def _java_service(model: ServiceModel) -> str:
    name = re.sub(r"^(Amazon|Aws)", "", _java_name(str(model.service_id)))
    return name.removesuffix("Service") or name


def _java_error(name: str, prefix: str) -> str:
    found = f"{_java_name(re.sub('(Fault|Exception)$', '', name))}Exception"
    return f"Default{found}" if found == f"{prefix}Exception" else found
