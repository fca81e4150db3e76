"""State machines with their versions and aliases: plain JSON of moto's objects, and back.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.models import StateMachine, StateMachineAlias, StateMachineVersion

from local_cloud.clock import moment
from local_cloud.engine.versions import revision, set_revision

if TYPE_CHECKING:
    from moto.stepfunctions.models import StateMachineInstance, StepFunctionBackend

    from local_cloud.engine.expression import Json

_MACHINE: Any = StateMachine
_VERSION: Any = StateMachineVersion
_ALIAS: Any = StateMachineAlias
"""Abstract to mypy, by methods of CloudFormation's that moto leaves out."""
_SHARED = ("definition", "roleArn", "description")
_SETTINGS = ("encryptionConfiguration", "loggingConfiguration", "tracingConfiguration")
_TIMES = ("creation_date", "update_date")
"""Moto keeps them without a zone; they are UTC."""


def record(machine: StateMachine) -> Json:
    """Return a machine as plain JSON."""
    return {
        **_fields(machine, _SHARED + _SETTINGS),
        "arn": machine.arn,
        "name": machine.name,
        "latest": machine.latest_version_number,
        "revision": revision(machine),
        "tags": machine.backend.get_tags_list_for_state_machine(machine.arn),
        "versions": [
            {**_fields(version, _SHARED), "number": number, "revision": revision(version)}
            for number, version in machine.versions.items()
        ],
        "aliases": [_alias_record(alias) for alias in machine.aliases.values()],
    }


def restore(body: Json, backend: StepFunctionBackend) -> StateMachine:
    """Return the machine of `record`, and give its tags back to the backend."""
    machine: StateMachine = _MACHINE(body["arn"], body["name"], body["definition"], body["roleArn"], backend)
    _fill(machine, body, _SHARED + _SETTINGS)
    set_revision(machine, body.get("revision"))
    for version in body["versions"]:
        numbered = _VERSION(machine, version["number"], version["description"])
        _fill(numbered, version, _SHARED)
        set_revision(numbered, version.get("revision"))
        machine.versions[version["number"]] = numbered
    machine.latest_version_number = body["latest"]
    machine.latest_version = machine.versions.get(body["latest"])
    for alias in body["aliases"]:
        named = _ALIAS(alias["name"], machine.arn, alias["routing"], alias["description"])
        _fill(named, alias, ())
        machine.aliases[alias["name"]] = named
    backend.tagger.tag_resource(machine.arn, body["tags"])
    return machine


def _alias_record(alias: StateMachineAlias) -> Json:
    return {**_fields(alias, ("name", "description")), "routing": alias.routing_configuration}


def _fields(thing: StateMachineInstance | StateMachineAlias, names: tuple[str, ...]) -> dict[str, Json]:
    times = {name: getattr(thing, name).replace(tzinfo=UTC).timestamp() for name in _TIMES}
    return {name: getattr(thing, name) for name in names} | times


def _fill(thing: Any, body: Json, names: tuple[str, ...]) -> None:  # noqa: ANN401 - one of moto's three
    for name in names:
        setattr(thing, name, body[name])
    for name in _TIMES:
        setattr(thing, name, moment(body[name]).replace(tzinfo=None))
