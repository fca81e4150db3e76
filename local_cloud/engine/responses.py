"""Moto's Step Functions responses where they leave out what AWS sends: errors, data, paging.

Facts: https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.responses import StepFunctionResponse

from local_cloud.clock import moment
from local_cloud.context import SERVED_HEADER
from local_cloud.engine import reader, redrive, versions
from local_cloud.engine.errors import InvalidDefinitionError
from local_cloud.engine.history import DEFAULT_PAGE, MAX_PAGE
from local_cloud.engine.redrive import RedriveResponse
from local_cloud.engine.refusals import NO_MAP_RUNS, RefusedOperations

if TYPE_CHECKING:
    from moto.stepfunctions.models import StateMachine

    from local_cloud.engine.backend import EngineBackend
    from local_cloud.engine.execution import Execution
    from local_cloud.engine.versions import Configured

MAX_DIAGNOSTICS = 100
_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
_UPDATES = (
    *("definition", "roleArn", "loggingConfiguration", "tracingConfiguration"),
    "encryptionConfiguration",
)
_REDRIVEN = ("REDRIVEN", "NOT_REDRIVEN")


class EngineResponse(RedriveResponse, RefusedOperations, StepFunctionResponse):  # type: ignore[misc] # made from a table
    """The operations about executions and tasks."""

    @property
    def backend(self) -> EngineBackend:
        """Return the caller's account and region."""
        return cast("EngineBackend", self.stepfunction_backend)

    def describe_execution(self) -> ActionResult:
        """Describe an execution."""
        execution = self._execution()
        ending = execution.ending
        shown = {
            **_summary(execution),
            "input": execution.input_text,
            "inputDetails": {"included": True},
            "output": ending.output,
            "outputDetails": {"included": True} if ending.output is not None else None,
            "error": ending.error,
            "cause": ending.cause,
            "stateMachineVersionArn": execution.record.version,
            "stateMachineAliasArn": execution.record.alias,
            **redrive.describe(execution, self.backend.engine.clock.now()),
        }
        return ActionResult({name: value for name, value in shown.items() if value is not None})

    def describe_state_machine(self) -> ActionResult:
        """Describe a machine or a version."""
        shown = _fields(super().describe_state_machine())
        of = self.backend.describe_state_machine(self._get_param("stateMachineArn"))
        return ActionResult(shown | _revised(of))

    def update_state_machine(self) -> ActionResult:
        """Change a machine, and make a version of it if asked for."""
        arn = self._get_param("stateMachineArn")
        if all(self._get_param(name) is None for name in _UPDATES):
            message = f"Either {', '.join(_UPDATES)} must be given"
            raise AWSError(message, "MissingRequiredParameter")
        shown = _fields(super().update_state_machine())
        return ActionResult(shown | _revised(self.backend.describe_state_machine(arn)))

    def publish_state_machine_version(self) -> ActionResult:
        """Make a version of a machine."""
        version = self.backend.publish_state_machine_version(
            self._get_param("stateMachineArn"),
            self._get_param("description"),
            self._get_param("revisionId"),
        )
        return ActionResult({"stateMachineVersionArn": version.arn, "creationDate": version.creation_date})

    def delete_state_machine_version(self) -> ActionResult:
        """Delete a version to which no alias leads."""
        self.backend.delete_state_machine_version(self._get_param("stateMachineVersionArn"))
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """List a machine's tags."""
        arn = self._get_param("resourceArn")
        versions.tagged(self.backend.state_machines, arn)
        return ActionResult(self.backend.list_tags_for_resource(arn))

    def list_state_machine_versions(self) -> ActionResult:
        """List a machine's versions, newest first."""
        machine = self.backend.describe_state_machine(self._get_param("stateMachineArn"))
        versions = [
            {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
            for _, version in sorted(machine.versions.items(), reverse=True)
        ]
        page, end = self._page(versions)
        return ActionResult({"stateMachineVersions": page} | end)

    def list_state_machine_aliases(self) -> ActionResult:
        """List a machine's aliases, or those of a version, in the order of their names."""
        arn = self._get_param("stateMachineArn")
        machine = self.backend.machine_of(arn)
        aliases = [
            {"stateMachineAliasArn": alias.arn, "creationDate": alias.creation_date}
            for _, alias in sorted(machine.aliases.items())
            if arn
            in (machine.arn, *(route["stateMachineVersionArn"] for route in alias.routing_configuration))
        ]
        page, end = self._page(aliases)
        return ActionResult({"stateMachineAliases": page} | end)

    def describe_state_machine_for_execution(self) -> ActionResult:
        """Describe the machine as it was when the execution started."""
        execution = self._execution()
        described = {
            "stateMachineArn": execution.facts.machine_id,
            "name": execution.facts.machine_name,
            "definition": execution.definition,
            "roleArn": execution.facts.role_arn,
            "updateDate": execution.start_date,
        }
        return ActionResult(described)

    def list_executions(self) -> ActionResult:
        """List the executions of a machine, a version or an alias, the last to start or end first."""
        arn = self._get_param("stateMachineArn")
        if arn is None or self._get_param("mapRunArn") is not None:
            message = f"ListExecutions needs a stateMachineArn: {NO_MAP_RUNS}"
            raise _invalid(message)
        machine, status = self.backend.machine_of(arn), self._choice("statusFilter", _STATUSES)
        redriven = self._choice("redriveFilter", _REDRIVEN)
        found = [
            one
            for one in self.backend.executions_of(machine.arn, status)
            if arn in (machine.arn, one.record.version, one.record.alias)
            and redriven in (None, _REDRIVEN[one.ending.redrives == 0])
        ]
        page, end = self._page([_listed(one) for one in sorted(found, key=_last_change, reverse=True)])
        return ActionResult({"executions": page} | end)

    def list_state_machines(self) -> ActionResult:
        """List the machines of an account and region, in the order of their names."""
        machines = sorted(self.backend.state_machines, key=lambda machine: str(machine.name))
        page, end = self._page([_listed_machine(machine) for machine in machines])
        return ActionResult({"stateMachines": page} | end)

    def validate_state_machine_definition(self) -> ActionResult:
        """Say what is wrong with a definition: all that this engine cannot run is an error to it."""
        try:
            reader.read(self._get_param("definition"))
        except InvalidDefinitionError as error:
            limit = int(self._get_param("maxResults") or MAX_DIAGNOSTICS)
            if not 0 < limit <= MAX_DIAGNOSTICS:
                message = f"Value '{limit}' at 'maxResults' must be from 0 to {MAX_DIAGNOSTICS}"
                raise _invalid(message) from None
            found = [
                {"severity": "ERROR", "code": "INVALID_DEFINITION", "message": problem}
                for problem in error.problems
            ]
            shown = {"diagnostics": found[:limit], "truncated": len(found) > limit}
            return ActionResult({"result": "FAIL", **shown})
        return ActionResult({"result": "OK", "diagnostics": [], "truncated": False})

    def start_execution(self) -> ActionResult:
        """Start an execution."""
        execution = self.backend.start_execution(
            self._get_param("stateMachineArn"),
            self._get_param("name"),
            self._get_param("input", if_none="{}"),
        )
        return ActionResult({"executionArn": execution.arn, "startDate": execution.start_date})

    def stop_execution(self) -> ActionResult:
        """Stop an execution."""
        execution = self.backend.stop_execution(
            self._get_param("executionArn"), self._get_param("error"), self._get_param("cause")
        )
        return ActionResult({"stopDate": moment(execution.ending.stopped or 0)})

    def get_execution_history(self) -> ActionResult:
        """Return a page of events."""
        start, limit = self._place()
        execution = self._execution()
        events, end = execution.history.page(
            start=start,
            limit=limit,
            newest_first=bool(self._get_param("reverseOrder")),
            with_data=self._get_param("includeExecutionData") is not False,
        )
        if self.headers.get(SERVED_HEADER):
            execution.keep_seen()
        return ActionResult({"events": events} | ({"nextToken": str(end)} if end is not None else {}))

    def send_task_failure(self) -> ActionResult:
        """Fail the task of a token."""
        self.backend.send_task_failure(
            self._get_param("taskToken"), self._get_param("error"), self._get_param("cause")
        )
        return EmptyResult()

    def _execution(self) -> Execution:
        return self.backend.describe_execution(self._get_param("executionArn"))

    def _choice(self, name: str, values: tuple[str, ...]) -> str | None:
        value: str | None = self._get_param(name)
        if value is not None and value not in values:
            message = f"Value '{value}' at '{name}' must be one of {', '.join(values)}"
            raise _invalid(message)
        return value

    def _page(self, found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Return what a request asks for, and `nextToken` if more is left."""
        start, limit = self._place()
        end = start + limit
        return found[start:end], {"nextToken": str(end)} if end < len(found) else {}

    def _place(self) -> tuple[int, int]:
        """Return where a page begins and how much it holds; 0 asks for the default."""
        token, limit = self._get_param("nextToken"), int(self._get_param("maxResults") or 0)
        if not 0 <= limit <= MAX_PAGE:
            message = f"Value '{limit}' at 'maxResults' must be from 0 to {MAX_PAGE}"
            raise _invalid(message)
        if token is not None and not (token.isascii() and token.isdecimal()):
            msg = "Invalid Token: 'Invalid token'"
            raise AWSError(msg, "InvalidToken")
        return int(token or 0), limit or DEFAULT_PAGE


def _fields(result: ActionResult) -> dict[str, Any]:
    return cast("dict[str, Any]", result.result)


def _revised(thing: Configured) -> dict[str, Any]:
    found = versions.revision(thing)
    return {"revisionId": found} if found else {}


def _invalid(message: str) -> AWSError:
    return AWSError(message, "ValidationException")


def _last_change(execution: Execution) -> float:
    ending = execution.ending
    return ending.stopped or ending.redriven or execution.record.started


def _listed(execution: Execution) -> dict[str, Any]:
    ending = execution.ending
    shown = {
        **_summary(execution),
        "stateMachineVersionArn": execution.record.version,
        "stateMachineAliasArn": execution.record.alias,
        "redriveCount": ending.redrives,
        "redriveDate": None if ending.redriven is None else moment(ending.redriven),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _listed_machine(machine: StateMachine) -> dict[str, Any]:
    return {
        "creationDate": machine.creation_date,
        "name": machine.name,
        "stateMachineArn": machine.arn,
        "type": machine.type,
    }


def _summary(execution: Execution) -> dict[str, Any]:
    ending = execution.ending
    summary = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.facts.machine_id,
        "name": execution.facts.name,
        "status": ending.status,
        "startDate": execution.start_date,
    }
    return summary | ({"stopDate": moment(ending.stopped)} if ending.stopped is not None else {})
