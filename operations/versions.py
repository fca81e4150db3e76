"""A pipeline's state machine, its published versions, and the alias that runs start on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.session import ask
from operations.source import Origin, parse_origin
from pipelines import platform
from pipelines.platform import LIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.session import Aws, Client

_ABSENT = ("StateMachineDoesNotExist", "ResourceNotFound")
_STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation's own tag on what it makes (docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide)."""
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """One published version of a state machine."""

    arn: str
    definition: str
    role_arn: str
    origin: Origin | None

    @property
    def number(self) -> int:
        """Return the version's number."""
        return int(self.arn.rsplit(":", 1)[1])


@dataclass(frozen=True, kw_only=True)
class Machines:
    """The state machines of one account and region."""

    client: Client
    account: str
    region: str

    def arn(self, pipeline: str) -> str:
        """Return the ARN that a pipeline's state machine has, if there is one."""
        partition = next((name for start, name in PARTITIONS.items() if self.region.startswith(start)), "aws")
        name = platform.machine_name(pipeline)
        return f"arn:{partition}:states:{self.region}:{self.account}:stateMachine:{name}"

    def run_arn(self, pipeline: str, run: str) -> str:
        """Return the ARN that a run of a pipeline has, if there is one."""
        return f"{self.arn(pipeline).replace(':stateMachine:', ':execution:')}:{run}"

    def describe(self, pipeline: str) -> dict[str, Any] | None:
        """Return the state machine as it stands, or None."""
        found: dict[str, Any] | None = ask(
            self.client.describe_state_machine, *_ABSENT, stateMachineArn=self.arn(pipeline)
        )
        return found

    def stack(self, pipeline: str) -> str:
        """Return the name of the CloudFormation stack that a state machine is of, or nothing."""
        reply = ask(self.client.list_tags_for_resource, *_ABSENT, resourceArn=self.arn(pipeline))
        tags = reply["tags"] if reply else ()
        return next((str(tag["value"]) for tag in tags if tag["key"] == _STACK_TAG), "")

    def live(self, pipeline: str) -> Version | None:
        """Return the version that the alias points at, or None."""
        reply = ask(
            self.client.describe_state_machine_alias,
            *_ABSENT,
            stateMachineAliasArn=f"{self.arn(pipeline)}:{LIVE}",
        )
        return self.version(reply["routingConfiguration"][0]["stateMachineVersionArn"]) if reply else None

    def require_live(self, pipeline: str) -> Version:
        """Return the version that runs start on. Raises OperationError."""
        version = self.live(pipeline)
        if version is None:
            message = (
                f"no version of pipeline '{pipeline}' is live in {self.region} of {self.account}: "
                "`edgepipe apply SPEC` makes one"
            )
            raise OperationError(message)
        return version

    def version(self, arn: str) -> Version:
        """Return a version by its ARN."""
        found = self.client.describe_state_machine(stateMachineArn=arn)
        origin = parse_origin(found.get("description", ""))
        return Version(arn=arn, definition=found["definition"], role_arn=found["roleArn"], origin=origin)

    def versions(self, pipeline: str) -> list[str]:
        """Return the ARNs of all versions, newest first."""
        return sorted(self._list_versions(pipeline), key=lambda arn: -int(arn.rsplit(":", 1)[1]))

    def point(self, pipeline: str, version_arn: str) -> None:
        """Move the alias to a version, or make the alias."""
        routing = [{"stateMachineVersionArn": version_arn, "weight": 100}]
        alias = f"{self.arn(pipeline)}:{LIVE}"
        if ask(self.client.describe_state_machine_alias, *_ABSENT, stateMachineAliasArn=alias) is None:
            self.client.create_state_machine_alias(name=LIVE, routingConfiguration=routing)
        else:
            self.client.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routing)

    def _list_versions(self, pipeline: str) -> Iterator[str]:
        """Yield ARNs; botocore has no paginator for them."""
        request: dict[str, Any] = {"stateMachineArn": self.arn(pipeline), "maxResults": 1000}
        while True:
            reply = self.client.list_state_machine_versions(**request)
            yield from (each["stateMachineVersionArn"] for each in reply["stateMachineVersions"])
            if not reply.get("nextToken"):
                return
            request["nextToken"] = reply["nextToken"]


def open_machines(aws: Aws, account: str) -> Machines:
    """Return the state machines that a session reaches."""
    return Machines(client=aws.client("stepfunctions"), account=account, region=aws.region)
