"""What AWS says of a state machine's revisions, versions and aliases, where moto says nothing.

Facts: https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html,
.../API_DeleteStateMachineVersion.html and .../API_CreateStateMachineAlias.html
A machine has no revision until it is first changed; then each change gives it a new one.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from moto.core.exceptions import AWSError
from moto.stepfunctions.exceptions import InvalidArn, ResourceNotFound, StateMachineDoesNotExist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moto.stepfunctions.models import StateMachine, StateMachineAlias, StateMachineVersion

INITIAL = "INITIAL"
"""Stands for the revision of a machine that has none yet."""
_CONFIGURED = ("roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")

Routes = list[dict[str, Any]]


class Configured(Protocol):
    """What a revision is of: a machine, or a version of one."""

    definition: str


def revision(thing: Configured) -> str | None:
    """Return the revision of a machine, or the one that a version was made of."""
    found: str | None = getattr(thing, "revision_id", None)
    return found


def set_revision(thing: Configured, value: str | None) -> None:
    """Note the revision of a machine or version; moto's have no place for it."""
    thing.revision_id = value  # type: ignore[attr-defined] # as above


def configuration(machine: StateMachine) -> tuple[Any, ...]:
    """Return what makes a revision: two machines alike in it are one."""
    return json.loads(machine.definition), *(getattr(machine, name) for name in _CONFIGURED)


def revise(machine: StateMachine, before: tuple[Any, ...]) -> None:
    """Give a machine a new revision if it is not any more what it was."""
    if configuration(machine) != before:
        set_revision(machine, str(uuid.uuid4()))


def require_revision(machine: StateMachine, wanted: str | None) -> None:
    """Raise ConflictException unless a machine is at the wanted revision; None wants none."""
    current = revision(machine) or INITIAL
    if wanted not in (None, current):
        message = (
            f"Failed to publish the State Machine version for revision {wanted}. "
            f"The current State Machine revision is {current}."
        )
        raise AWSError(message, "ConflictException")


def publish(machine: StateMachine, description: str | None) -> StateMachineVersion:
    """Make a version of what a machine is now, or return the newest one made of the same revision."""
    for number in sorted(machine.versions, reverse=True):
        version = machine.versions[number]
        same = (version.definition, version.roleArn) == (machine.definition, machine.roleArn)
        if same and revision(version) == revision(machine):
            return version
    machine.publish(description)
    made = machine.versions[machine.latest_version_number]
    set_revision(made, revision(machine))
    return made


def remove(machine: StateMachine, number: int) -> None:
    """Delete a version, whose number is not used again. Raises ConflictException while aliases lead to it."""
    arn = f"{machine.arn}:{number}"
    names = [alias.name for alias in machine.aliases.values() if arn in targets(alias.routing_configuration)]
    if names:
        message = (
            "Version to be deleted must not be referenced by an alias. "
            f"Current list of aliases referencing this version: [{', '.join(sorted(names))}]"
        )
        raise AWSError(message, "ConflictException")
    machine.versions.pop(number, None)
    machine.latest_version = machine.versions[max(machine.versions)] if machine.versions else None


def targets(routes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the versions to which an alias leads."""
    return [str(route["stateMachineVersionArn"]) for route in routes]


def require_versions(machine: StateMachine, routes: Routes) -> None:
    """Raise StateMachineDoesNotExist for a route to what is no version of the machine."""
    known = {version.arn for version in machine.versions.values()}
    for arn in targets(routes):
        if arn not in known:
            message = f"State Machine Version Does Not Exist: '{arn}'"
            raise StateMachineDoesNotExist(message)


def same_alias(alias: StateMachineAlias, routes: Routes, description: str | None) -> StateMachineAlias:
    """Return an alias that is to be created once more. Raises ConflictException unless it is the same."""
    if (alias.routing_configuration, alias.description) != (routes, description):
        message = f"State Machine Alias Already Exists: '{alias.arn}'"
        raise AWSError(message, "ConflictException")
    return alias


def require_unqualified(arn: str) -> None:
    """Raise InvalidArn for the ARN of a version or an alias: neither can be changed as a machine is."""
    if arn.count(":") > 6:
        message = (
            f"Invalid Arn: '{arn}' is a version's or an alias's, and only a state machine can be updated"
        )
        raise InvalidArn(message)


def number_of(arn: str) -> int:
    """Return the number in a version's ARN; raises InvalidArn for any other."""
    number = arn.rpartition(":")[2]
    if arn.count(":") != 7 or not (number.isascii() and number.isdecimal()):
        message = f"Invalid State Machine Version Arn: '{arn}'"
        raise InvalidArn(message)
    return int(number)


def tagged(machines: Sequence[StateMachine], arn: str) -> StateMachine:
    """Return the machine whose tags an ARN names; raises ResourceNotFound for any other resource."""
    for machine in machines:
        if machine.arn == arn:
            return machine
    raise ResourceNotFound(arn)
