"""Moto's Step Functions backend with executions that run; machines, versions and aliases stay moto's."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.exceptions import AWSError
from moto.stepfunctions.exceptions import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidExecutionInput,
    InvalidToken,
)
from moto.stepfunctions.models import StateMachine, StepFunctionBackend

from local_cloud.engine import reader
from local_cloud.engine.errors import Failure, InvalidDefinitionError
from local_cloud.engine.execution import Execution
from local_cloud.engine.payload import MAX_DATA, decode, too_large
from local_cloud.engine.replies import Outcome, is_token
from local_cloud.engine.visit import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local_cloud.engine.definition import Machine
    from local_cloud.engine.expression import Json
    from local_cloud.engine.handle import Engine
    from local_cloud.engine.world import Call


class EngineBackend(StepFunctionBackend):
    """The state machines and executions of one account and region."""

    engine: ClassVar[Engine]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}

    def create_state_machine(
        self,
        name: str,
        definition: str,
        roleArn: str,  # noqa: N803 - moto's name
        *rest: Any,  # noqa: ANN401 - moto's other parameters, handed on
        **named: Any,  # noqa: ANN401 - as above
    ) -> StateMachine:
        """Create a machine, or return the same one made before; refuses what the engine cannot run."""
        _check(definition)
        if named.get("sm_type") == "EXPRESS":
            message = "The local engine runs STANDARD state machines only"
            raise AWSError(message, "StateMachineTypeNotSupported")
        machine = super().create_state_machine(name, definition, roleArn, *rest, **named)
        if (machine.definition, machine.roleArn) != (definition, roleArn):
            message = f"State Machine Already Exists: '{machine.arn}'"
            raise AWSError(message, "StateMachineAlreadyExists")
        return machine

    def update_state_machine(
        self,
        arn: str,
        definition: str | None = None,
        *rest: Any,  # noqa: ANN401 - as above
        **named: Any,  # noqa: ANN401 - as above
    ) -> StateMachine:
        """Change a machine; executions that run keep the definition they started with."""
        if definition is not None:
            _check(definition)
        return super().update_state_machine(arn, definition, *rest, **named)

    def delete_state_machine(self, arn: str) -> None:
        """Delete a machine and stop its executions."""
        for execution in self.executions_of(arn):
            execution.stop()
        super().delete_state_machine(arn)

    def start_execution(  # type: ignore[override] # ours run, moto's do not
        self, state_machine_arn: str, name: str | None, execution_input: str
    ) -> Execution:
        """Start an execution; the same name and input while it runs gives the one that runs."""
        if name:
            self._validate_name(name)
        machine, source = self._find_machine(state_machine_arn)
        name = name or str(uuid.uuid4())
        facts = Facts(
            id=f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}",
            name=name,
            input=_read_input(execution_input),
            role_arn=source.roleArn,
            started=self.engine.clock.now(),
            machine_id=machine.arn,
            machine_name=machine.name,
        )
        return self._start(facts, execution_input, source.definition)

    def start_child(self, call: Call, machine_arn: str, name: str | None, text: str) -> Execution:
        """Start the execution that a call of another execution asks for, or find it when that is resumed."""

        def start() -> Json:
            return self.start_execution(machine_arn, name or call.name, text).arn

        return self.describe_execution(call.once("child", start))

    def stop_execution(  # type: ignore[override] # as above; moto drops error and cause
        self, execution_arn: str, error: str | None = None, cause: str | None = None
    ) -> Execution:
        """Stop an execution and return it."""
        execution = self.describe_execution(execution_arn)
        execution.stop(error, cause)
        return execution

    def describe_execution(self, execution_arn: str) -> Execution:  # type: ignore[override] # as above
        """Return an execution."""
        self._validate_execution_arn(execution_arn)
        with self._lock:
            execution = self._executions.get(execution_arn)
        if execution is None:
            msg = f"Execution Does Not Exist: '{execution_arn}'"
            raise ExecutionDoesNotExist(msg)
        return execution

    def executions_of(self, machine_arn: str | None = None, status: str | None = None) -> list[Execution]:
        """Return a machine's executions (None: all), newest first."""
        with self._lock:
            executions = list(self._executions.values())
        found = [one for one in executions if machine_arn in (None, one.facts.machine_id)]
        chosen = [one for one in found if status in (None, one.ending.status)]
        return sorted(chosen, key=lambda one: one.facts.started, reverse=True)

    def send_task_success(self, task_token: str, outcome: str) -> None:
        """Give a waiting task its result."""
        try:
            value = decode(outcome)
        except ValueError as error:
            msg = f"Invalid Output: '{error}'"
            raise AWSError(msg, "InvalidOutput") from None
        if too_large(outcome):
            msg = f"Invalid Output: larger than {MAX_DATA} bytes"
            raise AWSError(msg, "InvalidOutput")
        self._answer(task_token, Outcome(value=value))

    def send_task_failure(self, task_token: str, error: str | None = None, cause: str | None = None) -> None:
        """Fail a waiting task."""
        self._answer(task_token, Outcome(failure=Failure(error, cause)))

    def send_task_heartbeat(self, task_token: str) -> None:
        """Show that a waiting task is alive."""
        _require_form(task_token)
        if not self.engine.tokens.beat(task_token, self.engine.clock.now()):
            raise _gone()

    def _answer(self, token: str, outcome: Outcome) -> None:
        _require_form(token)
        if not self.engine.tokens.answer(token, outcome):
            raise _gone()

    def _start(self, facts: Facts, input_text: str, definition: str) -> Execution:
        with self._lock:
            before = self._executions.get(facts.id)
            if before is None:
                execution = self._make(facts, input_text, definition)
                self._executions[facts.id] = execution
        if before is not None:
            if before.ending.status == "RUNNING" and before.input_text == input_text:
                return before
            msg = f"Execution Already Exists: '{facts.id}'"
            raise ExecutionAlreadyExists(msg)
        execution.start()
        return execution

    def _make(self, facts: Facts, input_text: str, definition: str) -> Execution:
        return Execution(
            facts=facts,
            input_text=input_text,
            definition=definition,
            machine=_check(definition),
            world=self.engine.world(self.account_id, self.region_name),
        )

    def _find_machine(self, arn: str) -> tuple[StateMachine, Any]:
        """Return the machine of a machine's, version's or alias's ARN, and what holds its definition."""
        self._validate_machine_arn(arn)
        qualifier = arn.split(":")[7] if arn.count(":") > 6 else ""
        base = arn.removesuffix(f":{qualifier}") if qualifier else arn
        machine = self.describe_state_machine(base)
        if not qualifier:
            return machine, machine
        alias = machine.aliases.get(qualifier)
        return machine, self.describe_state_machine(_target(alias.routing_configuration) if alias else arn)


def _target(routing: Sequence[Mapping[str, Any]]) -> str:
    if len(routing) > 1:
        message = "The local engine runs aliases that point at one version only"
        raise AWSError(message, "ValidationException")
    return str(routing[0]["stateMachineVersionArn"])


def _check(definition: str) -> Machine:
    try:
        return reader.read(definition)
    except InvalidDefinitionError as error:
        message = f"Invalid State Machine Definition: '{'; '.join(error.problems)}'"
        raise AWSError(message, "InvalidDefinition") from None


def _read_input(text: str) -> Json:
    if too_large(text):
        msg = f"Invalid State Machine Execution Input: larger than {MAX_DATA} bytes"
        raise InvalidExecutionInput(msg)
    try:
        return decode(text)
    except ValueError as error:
        msg = f"Invalid State Machine Execution Input: '{error}'"
        raise InvalidExecutionInput(msg) from None


def _require_form(token: str) -> None:
    if not is_token(token):
        raise InvalidToken


def _gone() -> AWSError:
    return AWSError("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
