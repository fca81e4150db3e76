"""The integration `aws-sdk`: one call of boto3, answered by moto, in the words of Step Functions.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
Data for a member that holds bytes is sent as its JSON text, a string with its quotes; bytes that come back
are read as UTF-8. Bytes that are no UTF-8 fail the task: AWS does not say what it makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from local_cloud.engine import catalogue
from local_cloud.engine.errors import RUNTIME, Failure
from local_cloud.engine.payload import encode

if TYPE_CHECKING:
    from botocore.model import Shape

    from local_cloud.engine.expression import Json
    from local_cloud.engine.roles import Roles
    from local_cloud.engine.world import Call


def action_of(service: str) -> catalogue.Action:
    """Return the action of `aws-sdk:<service>:<action>`; raises UnknownCallError."""
    _, name, action = service.split(":", 2)
    return catalogue.find(name, action)


@dataclass(frozen=True, kw_only=True)
class SdkCall:
    """One action, called with a task's arguments."""

    action: catalogue.Action
    roles: Roles

    def __call__(self, call: Call) -> Json:
        """Return the action's result; raises Failure with `<Service>.<Error>Exception`."""
        problems = self.action.problems(call.arguments)
        if problems:
            raise Failure(RUNTIME, f"The Arguments cannot be used to start the Task: {'; '.join(problems)}")
        shape = self.action.operation.input_shape
        request = {} if shape is None else to_request(call.arguments, shape)
        client = self.roles.client(self.action.service, call)
        reply = self._send(getattr(client, xform_name(self.action.operation.name)), request)
        reply.pop("ResponseMetadata", None)
        output = self.action.operation.output_shape
        return {} if output is None else from_reply(reply, output)

    def _send(self, send: Json, request: dict[str, Json]) -> dict[str, Json]:
        try:
            return dict(send(**request))
        except ClientError as error:
            raise self._failure(error) from None
        except ParamValidationError as error:
            raise Failure(RUNTIME, str(error)) from None
        except NotImplementedError as error:
            name = f"{self.action.service}:{self.action.operation.name}"
            raise Failure(RUNTIME, f"the local cloud does not answer {name}: {error}") from None

    def _failure(self, error: ClientError) -> Failure:
        said, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        facts = {
            "Service": self.action.prefix,
            "Status Code": metadata.get("HTTPStatusCode"),
            "Request ID": metadata.get("RequestId"),
        }
        shown = ", ".join(f"{name}: {value}" for name, value in facts.items())
        # Services that once spoke another protocol send the old name of an error as its code.
        code = said.get("QueryErrorCode") or said.get("Code", "")
        return Failure(self.action.error_name(str(code)), f"{said.get('Message', '')} ({shown})")


def to_request(value: Json, shape: Shape) -> Json:
    """Return arguments as boto3 takes them."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            known = catalogue.members(shape)
            return {known[name][0]: to_request(item, known[name][1]) for name, item in value.items()}
        case "list" if isinstance(value, list):
            return [to_request(item, shape.member) for item in value]
        case "map" if isinstance(value, dict):
            return {key: to_request(item, shape.value) for key, item in value.items()}
        case "blob":
            return encode(value).encode()
        case "string" if not isinstance(value, str):
            return encode(value)
        case _:
            return value


def from_reply(value: Json, shape: Shape) -> Json:
    """Return boto3's reply as Step Functions shows it: plain JSON."""
    match shape.type_name:
        case "structure":
            known = {name: (ours, inner) for ours, (name, inner) in catalogue.members(shape).items()}
            return {known[key][0]: from_reply(item, known[key][1]) for key, item in value.items()}
        case "list":
            return [from_reply(item, shape.member) for item in value]
        case "map":
            return {str(key): from_reply(item, shape.value) for key, item in value.items()}
        case "blob":
            return _text(value if isinstance(value, bytes) else value.read())
        case "timestamp" if isinstance(value, datetime):
            return instant(value)
        case _:
            return value


def instant(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC; milliseconds only where there are some."""
    spec = "milliseconds" if time.microsecond else "seconds"
    return time.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        cause = "the action gave bytes that are not UTF-8, which Step Functions does not document: use a URI"
        raise Failure(RUNTIME, cause) from None
