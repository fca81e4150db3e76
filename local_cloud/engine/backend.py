"""Moto's Step Functions backend, whose executions run, and whose state outlives the process."""

from __future__ import annotations

import random
import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.exceptions import AWSError
from moto.stepfunctions.exceptions import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidExecutionInput,
    InvalidToken,
    StateMachineDoesNotExist,
)
from moto.stepfunctions.models import StateMachine, StateMachineAlias, StepFunctionBackend

from local_cloud.engine import machines, reader, redrive, versions
from local_cloud.engine.errors import Failure, InvalidDefinitionError
from local_cloud.engine.execution import Execution
from local_cloud.engine.payload import MAX_DATA, decode, too_large
from local_cloud.engine.replies import Outcome, is_token
from local_cloud.engine.runs import Record, Runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moto.stepfunctions.models import StateMachineVersion

    from local_cloud.engine.handle import Engine
    from local_cloud.engine.world import Call


class EngineBackend(StepFunctionBackend):
    """The state machines and executions of one account and region."""

    engine: ClassVar[Engine]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._running: dict[str, Execution] = {}

    @property
    def _runs(self) -> Runs:
        return self.engine.runs

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
        self._keep(machine)
        return machine

    def update_state_machine(
        self,
        arn: str,
        definition: str | None = None,
        *rest: Any,  # noqa: ANN401 - as above
        publish: bool | None = None,
        version_description: str | None = None,
        **named: Any,  # noqa: ANN401 - as above
    ) -> StateMachine:
        """Change a machine; executions that run keep the definition they started with."""
        versions.require_unqualified(arn)
        if definition is not None:
            _check(definition)
        before = versions.configuration(self.describe_state_machine(arn))
        machine = super().update_state_machine(arn, definition, *rest, **named)
        versions.revise(machine, before)
        if publish:
            machine.latest_version = versions.publish(machine, version_description)
        self._keep(machine)
        return machine

    def publish_state_machine_version(
        self, arn: str, description: str | None, revision: str | None = None
    ) -> StateMachineVersion:
        """Make a version of what a machine is now, or return the one that there is of it."""
        versions.require_unqualified(arn)
        machine = self.describe_state_machine(arn)
        versions.require_revision(machine, revision)
        version = versions.publish(machine, description)
        self._keep(machine)
        return version

    def delete_state_machine_version(self, arn: str) -> None:
        """Forget a version, if it is there; executions that it started go on."""
        number = versions.number_of(arn)
        try:
            machine = self.describe_state_machine(arn.rpartition(":")[0])
        except StateMachineDoesNotExist:
            return
        versions.remove(machine, number)
        self._keep(machine)

    def create_state_machine_alias(
        self, name: str, routing_configuration: list[dict[str, Any]], description: str | None
    ) -> StateMachineAlias:
        """Name one or two versions of a machine."""
        machine = self.machine_of(versions.targets(routing_configuration)[0])
        versions.require_versions(machine, routing_configuration)
        if name in machine.aliases:
            return versions.same_alias(machine.aliases[name], routing_configuration, description)
        alias = super().create_state_machine_alias(name, routing_configuration, description)
        self._keep(machine)
        return alias

    def update_state_machine_alias(
        self, arn: str, description: str | None, routing_configuration: list[dict[str, Any]] | None
    ) -> StateMachineAlias:
        """Point an alias at other versions."""
        machine = self.describe_state_machine(arn.rpartition(":")[0])
        versions.require_versions(machine, routing_configuration or [])
        alias = super().update_state_machine_alias(arn, description, routing_configuration)
        self._keep(machine)
        return alias

    def delete_state_machine_alias(self, arn: str) -> None:
        """Forget an alias; its versions stay."""
        super().delete_state_machine_alias(arn)
        self._keep(self.describe_state_machine(arn.rpartition(":")[0]))

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        """Set tags of a machine."""
        machine = versions.tagged(self.state_machines, arn)
        super().tag_resource(arn, tags)
        self._keep(machine)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        """Take tags off a machine."""
        machine = versions.tagged(self.state_machines, arn)
        super().untag_resource(arn, tag_keys)
        self._keep(machine)

    def delete_state_machine(self, arn: str) -> None:
        """Delete a machine and stop its executions."""
        for execution in self.executions_of(arn, status="RUNNING"):
            execution.stop()
        super().delete_state_machine(arn)
        self._runs.drop_machine(arn)

    def restore(self) -> None:
        """Bring back the machines and the running executions of earlier processes; nothing is driven yet."""
        for body in self._runs.machines():
            if self._owns(body["arn"]):
                self.state_machines.append(machines.restore(body, self))
        for record in self._runs.all(status="RUNNING"):
            if self._owns(record.arn):
                self._adopt(record).open_tokens()

    def start_execution(  # type: ignore[override] # ours run, moto's do not
        self, state_machine_arn: str, name: str | None, execution_input: str
    ) -> Execution:
        """Start an execution; the same name and input while it runs gives the one that runs."""
        record = self._plan(state_machine_arn, name, execution_input)
        before = self._begin(record)
        if before is None:
            return self.describe_execution(record.arn)
        if before.ending.status == "RUNNING" and before.input_text == execution_input:
            return before
        msg = f"Execution Already Exists: '{record.arn}'"
        raise ExecutionAlreadyExists(msg)

    def start_child(
        self, call: Call, machine_arn: str, name: str | None, text: str, *, waits: bool
    ) -> Execution:
        """Start the execution that a call of another one asks for, or find it when that call is resumed."""
        planned = self._plan(machine_arn, name or call.name, text)
        record = replace(planned, origin=call.name, parent=call.execution if waits else None)
        before = self._begin(record)
        if before is not None and before.record.origin != call.name:
            msg = f"Execution Already Exists: '{record.arn}'"
            raise ExecutionAlreadyExists(msg)
        return before or self.describe_execution(record.arn)

    def stop_execution(  # type: ignore[override] # as above; moto drops error and cause
        self, execution_arn: str, error: str | None = None, cause: str | None = None
    ) -> Execution:
        """Stop an execution and return it."""
        execution = self.describe_execution(execution_arn)
        execution.stop(error, cause)
        return execution

    def redrive_execution(self, execution_arn: str) -> Execution:
        """Take up an execution that did not succeed, from where it failed, and return it."""
        now = self.engine.clock.now()
        with self._starting:
            execution = self.describe_execution(execution_arn)
            if (reason := redrive.obstacle(execution, now)) is not None:
                raise AWSError(reason, "ExecutionNotRedrivable")
            execution = self._adopt(redrive.redrive(execution, self._runs, now))
        execution.start()
        return execution

    def describe_execution(self, execution_arn: str) -> Execution:  # type: ignore[override] # as above
        """Return an execution."""
        self._validate_execution_arn(execution_arn)
        execution = self._find(execution_arn)
        if execution is None:
            msg = f"Execution Does Not Exist: '{execution_arn}'"
            raise ExecutionDoesNotExist(msg)
        return execution

    def executions_of(self, machine_arn: str | None = None, status: str | None = None) -> list[Execution]:
        """Return a machine's executions (None: all), newest first."""
        records = self._runs.all(machine=machine_arn, status=status)
        return [self._view(record) for record in records if self._owns(record.arn)]

    def machine_of(self, arn: str) -> StateMachine:
        """Return the machine of an ARN, which may also be that of a version or an alias."""
        return self._find_machine(arn)[0]

    def running(self) -> list[Execution]:
        """Return the executions that have not ended."""
        with self._lock:
            return list(self._running.values())

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

    def _plan(self, machine_arn: str, name: str | None, text: str) -> Record:
        if name:
            self._validate_name(name)
        machine, source, version, alias = self._find_machine(machine_arn)
        _read_input(text)
        name = name or str(uuid.uuid4())
        return Record(
            arn=f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}",
            name=name,
            input_text=text,
            definition=source.definition,
            role_arn=source.roleArn,
            started=self.engine.clock.now(),
            machine=machine.arn,
            machine_name=machine.name,
            version=version,
            alias=alias,
        )

    def _begin(self, record: Record) -> Execution | None:
        """Start an execution, or return the one that has its name."""
        with self._starting:
            before = self._find(record.arn)
            if before is not None:
                return before
            execution = self._adopt(self._runs.add(record))
        execution.start()
        return None

    def _find(self, arn: str) -> Execution | None:
        with self._lock:
            running = self._running.get(arn)
        if running is not None:
            return running
        record = self._runs.find(arn)
        return None if record is None else self._make(record)

    def _view(self, record: Record) -> Execution:
        with self._lock:
            return self._running.get(record.arn) or self._make(record)

    def _adopt(self, record: Record) -> Execution:
        """Return the one object of a running execution."""
        execution = self._make(record)
        with self._lock:
            self._running[record.arn] = execution
        execution.when_ended(lambda: self._leave(record.arn))
        return execution

    def _leave(self, arn: str) -> None:
        with self._lock:
            self._running.pop(arn, None)
        for child in self._runs.children(arn):
            self.engine.execution(child.arn).stop()

    def _make(self, record: Record) -> Execution:
        world = self.engine.world(self.account_id, self.region_name)
        return Execution(record=record, world=world, runs=self._runs)

    def _owns(self, arn: str) -> bool:
        return arn.split(":")[3:5] == [self.region_name, self.account_id]

    def _keep(self, machine: StateMachine) -> None:
        self._runs.put_machine(machine.arn, machines.record(machine))

    def _find_machine(self, arn: str) -> tuple[StateMachine, Any, str | None, str | None]:
        """Return the machine of an ARN, what holds its definition, and the version and alias it names."""
        self._validate_machine_arn(arn)
        qualifier = arn.split(":")[7] if arn.count(":") > 6 else ""
        base = arn.removesuffix(f":{qualifier}") if qualifier else arn
        machine = self.describe_state_machine(base)
        if not qualifier:
            return machine, machine, None, None
        alias = machine.aliases.get(qualifier)
        version = _choose(alias.routing_configuration) if alias else arn
        return machine, self.describe_state_machine(version), version, alias.arn if alias else None


def _choose(routing: Sequence[Mapping[str, Any]]) -> str:
    """Return the version of an alias that an execution runs: by chance, as the weights say."""
    weights = [route["weight"] for route in routing]
    return str(random.choices(routing, weights)[0]["stateMachineVersionArn"])  # noqa: S311 - no secret


def _check(definition: str) -> None:
    try:
        reader.read(definition)
    except InvalidDefinitionError as error:
        message = f"Invalid State Machine Definition: '{'; '.join(error.problems)}'"
        raise AWSError(message, "InvalidDefinition") from None


def _read_input(text: str) -> None:
    if too_large(text):
        msg = f"Invalid State Machine Execution Input: larger than {MAX_DATA} bytes"
        raise InvalidExecutionInput(msg)
    try:
        decode(text)
    except ValueError as error:
        msg = f"Invalid State Machine Execution Input: '{error}'"
        raise InvalidExecutionInput(msg) from None


def _require_form(token: str) -> None:
    if not is_token(token):
        raise InvalidToken


def _gone() -> AWSError:
    return AWSError("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
