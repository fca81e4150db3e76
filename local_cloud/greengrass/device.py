"""A virtual core device: applies deployments in order, keeps components running, reports what became of it.

What a real core does and this one does not: users and privileges (every script runs as the user of the
local cloud), Lambda and plugin components, inter-process communication, credentials for components, limits
of resources.
A device that is switched off while it deploys begins that deployment again when it is back.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import errors
from .archive import read_execution, read_installation, write_execution, write_installation
from .blueprint import State
from .crew import Crew, InstalledComponent, SwitchedOffError
from .errors import DeploymentError, RecipeError
from .execution import Execution
from .faults import DISK_FULL, SLOW
from .memory import DEVICES, EXECUTIONS, INSTALLATIONS
from .planning import Installation, Order, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .equipment import Equipment
    from .faults import Fault
    from .gate import Gate
    from .memory import Memory
    from .specs import DeviceSpec

_LOOK_SECONDS = 0.1
"""How often a device whose connection comes and goes looks whether it has one."""


@dataclass(frozen=True, kw_only=True)
class Links:
    """What joins a device to its cloud; `report` hears of every change of an execution."""

    region: str
    memory: Memory
    gate: Gate
    report: Callable[[Device, Execution], None]


class Device:
    """One virtual core device; `root` holds its files, `order` tells which was added first."""

    def __init__(
        self,
        spec: DeviceSpec,
        equipment: Equipment,
        links: Links,
        *,
        order: int = 0,
        settle_seconds: float = 0.5,
    ) -> None:
        self.thing = equipment.thing
        self.root = equipment.root
        self.attributes = equipment.attributes
        self.runtime = "edgepipe_virtual_core"
        self.spec = spec
        self.order = order
        self._equipment = equipment
        self._memory = links.memory
        self._report = links.report
        self._bell = threading.Condition()
        self._executions: dict[str, Execution] = {}
        self._kept: Mapping[str, Any] | None = None
        self._closing = False
        self._log_lock = threading.Lock()
        self._shown_lock = threading.Lock()
        self._shown: tuple[InstalledComponent, ...] = ()
        self._updated = equipment.now()
        self._crew = Crew(
            equipment,
            region=links.region,
            bell=self._bell,
            gate=links.gate,
            heard=self._hear,
            settle_seconds=settle_seconds,
        )
        self._thread = threading.Thread(target=self._work, name=f"device {self.thing}", daemon=True)

    def switch_on(
        self, installation: Mapping[str, Any] | None = None, executions: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Begin to work; with what was kept of an earlier life, go on with it."""
        (self.root / "logs").mkdir(parents=True, exist_ok=True)
        (self.root / "home").mkdir(exist_ok=True)
        recalled = sorted(map(read_execution, executions), key=lambda each: each.number)
        for each in recalled:
            # Who was switched off in the middle of a deployment gets it again.
            status = each.status if each.is_over else "QUEUED"
            self._executions[each.order.deployment_id] = dataclasses.replace(each, status=status)
        self._kept = installation
        self._show()
        self._thread.start()

    def submit(self, order: Order) -> None:
        """Queue a deployment; those of the same target that still wait are cancelled."""
        now = self._equipment.now()
        for execution in self.executions():
            if execution.order.source == order.source:
                self.cancel(execution.order.deployment_id, f"superseded by deployment {order.deployment_id}")
        with self._bell:
            number = max((each.number for each in self._executions.values()), default=0) + 1
            self._keep(Execution(order=order, number=number, status="QUEUED", created=now, modified=now))
            self._bell.notify_all()

    def cancel(self, deployment_id: str, reason: str = "canceled by the user") -> None:
        """Cancel a deployment that the device has not begun; one that it has begun goes on, as on AWS."""
        with self._bell:
            execution = self._executions.get(deployment_id)
            if execution is None or execution.status != "QUEUED":
                return
            canceled = self._record(execution, "CANCELED", reason=reason)
        self._report(self, canceled)

    def change(self, spec: DeviceSpec) -> None:
        """Take over a new specification; the architecture is what it was when the device was made."""
        self.spec = dataclasses.replace(spec, architecture=self.spec.architecture)
        self.set_faults(spec.faults)

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Replace what goes wrong on the device; nothing lifts all faults."""
        self.spec = dataclasses.replace(self.spec, faults=tuple(faults))
        with self._bell:
            self._equipment.faults.set(self.spec.faults)
            self._bell.notify_all()
        self._show()

    def executions(self) -> list[Execution]:
        """Return what became of every deployment that the device got, the latest first."""
        with self._bell:
            return list(reversed(self._executions.values()))

    def installed(self) -> list[InstalledComponent]:
        """Return the components as the device last reported them; one that is offline reports nothing."""
        return list(self._shown)

    @property
    def updated(self) -> datetime:
        """When the device last reported its state."""
        return self._updated

    def is_healthy(self) -> bool:
        """Tell whether the device last reported no broken component."""
        return all(component.state is not State.BROKEN for component in self._shown)

    def begin_close(self) -> None:
        """Tell the device to switch itself off, without waiting for it."""
        with self._bell:
            self._closing = True
            self._bell.notify_all()
        self._crew.switch_off()

    def close(self) -> None:
        """Switch the device off: its components shut down, dependents first; again does nothing."""
        self.begin_close()
        if self._thread.ident is not None:
            self._thread.join()

    def forget(self) -> None:
        """Drop what is kept of a device that has been closed for good."""
        self._memory.forget(DEVICES, self.thing)
        self._memory.forget(INSTALLATIONS, self.thing)
        for identifier in self._executions:
            self._memory.forget(EXECUTIONS, f"{self.thing}/{identifier}")

    def _work(self) -> None:
        try:
            if self._kept is not None:
                self._boot(self._kept)
            while True:
                execution = self._next()
                with self._equipment.clock.working():
                    self._deploy(execution)
        except SwitchedOffError:
            self._note("switched off")
        finally:
            self._crew.stop()

    def _boot(self, kept: Mapping[str, Any]) -> None:
        try:
            self._crew.boot(read_installation(kept, self._equipment))
        except (DeploymentError, RecipeError) as error:
            self._note(f"what was installed cannot be started again: {error}")
        with self._shown_lock:
            self._shown = tuple(self._crew.installed())
        self._show()

    def _next(self) -> Execution:
        """Wait for a deployment, and for the connection to take it over."""
        while True:
            self._wait_until_online()
            with self._bell:
                if self._closing:
                    raise SwitchedOffError
                execution = next((e for e in self._executions.values() if e.status == "QUEUED"), None)
                if execution is not None:
                    return self._record(execution, "IN_PROGRESS")
                self._bell.wait(_LOOK_SECONDS if self._equipment.faults.changes_by_itself() else None)

    def _deploy(self, execution: Execution) -> None:
        """Plan, apply, and undo if need be; the outcomes are those of the nucleus."""
        self._report(self, execution)
        before = self._crew.installation
        try:
            after = plan(execution.order, before, self._equipment, before_fetch=self._before_fetch)
        except DeploymentError as error:
            self._fail(execution, "FAILED_NO_STATE_CHANGE", error)
            return
        except SwitchedOffError:
            raise
        except Exception as error:
            self._fail(execution, "FAILED_NO_STATE_CHANGE", _unexpected(error))
            return
        try:
            self._crew.apply(after)
        except DeploymentError as error:
            self._undo(execution, before, error)
            return
        self._keep_installation()
        self._remove_unused_artifacts(before, after)
        self._finish(execution)

    def _undo(self, execution: Execution, before: Installation, error: DeploymentError) -> None:
        if not execution.order.rolls_back:
            self._fail(execution, "FAILED_ROLLBACK_NOT_REQUESTED", error)
            return
        try:
            self._crew.apply(before)
        except DeploymentError as failure:
            both = DeploymentError(f"{error}; and then: {failure}", codes=error.codes[1:], types=error.types)
            self._fail(execution, "FAILED_UNABLE_TO_ROLLBACK", both)
        else:
            self._fail(execution, "FAILED_ROLLBACK_COMPLETE", error)

    def _before_fetch(self, component: str) -> None:
        """Let a download wait for the connection, and go wrong as the faults have it."""
        self._wait_until_online()
        faults = self._equipment.faults
        if slow := faults.find(SLOW, component):
            with self._bell:
                self._bell.wait_for(lambda: self._closing, slow.delay)
        self._wait_until_online()
        if faults.find(DISK_FULL, component):
            message = f"an artifact of component {component} does not fit: no space is left on the device"
            raise errors.disk_full(message)

    def _wait_until_online(self) -> None:
        faults = self._equipment.faults
        was_offline = False
        with self._bell:
            while not self._closing and faults.is_offline():
                was_offline = True
                self._bell.wait(_LOOK_SECONDS if faults.changes_by_itself() else None)
            if self._closing:
                raise SwitchedOffError
        if was_offline:
            self._show()

    def _remove_unused_artifacts(self, before: Installation, after: Installation) -> None:
        for name, blueprint in before.blueprints.items():
            successor = after.blueprints.get(name)
            if successor is None or successor.version != blueprint.version:
                self._equipment.artifacts.remove(name, blueprint.version)

    def _finish(self, execution: Execution) -> None:
        # AWS words the same success differently for a thing and for a group.
        status = "SUCCEEDED" if ":thinggroup/" in execution.order.target else "COMPLETED"
        self._settle(execution, status, reason="SUCCESSFUL")

    def _fail(self, execution: Execution, outcome: str, error: DeploymentError) -> None:
        self._settle(
            execution,
            "FAILED",
            reason=f"{error.codes[-1]}: {outcome}: {error}",
            error_codes=error.codes,
            error_types=error.types,
        )

    def _settle(self, execution: Execution, status: str, **details: str | tuple[str, ...]) -> None:
        """Keep what runs now, then the outcome: killed in between, the device finds nothing left to do."""
        self._keep_installation()
        self._wait_until_online()
        self._show()
        with self._bell:
            settled = self._record(execution, status, **details)
        self._report(self, settled)

    def _keep_installation(self) -> None:
        kept = write_installation(self._crew.installation)
        self._memory.keep(INSTALLATIONS, self.thing, {"thing": self.thing, **kept})

    def _record(self, execution: Execution, status: str, **details: str | tuple[str, ...]) -> Execution:
        changes = {"status": status, "modified": self._equipment.now(), **details}
        recorded = dataclasses.replace(execution, **changes)  # type: ignore[arg-type]  # checked by the callers
        self._keep(recorded)
        self._note(f"deployment {execution.order.deployment_id} {status} {recorded.reason}".rstrip())
        return recorded

    def _keep(self, execution: Execution) -> None:
        identifier = execution.order.deployment_id
        document = {"thing": self.thing, **write_execution(execution)}
        self._memory.keep(EXECUTIONS, f"{self.thing}/{identifier}", document)
        self._executions[identifier] = execution

    def _hear(self, text: str) -> None:
        self._note(text)
        self._show()

    def _show(self) -> None:
        """Report the state, and keep what was reported; who is offline or goes off reports nothing."""
        with self._shown_lock:
            if self._closing:
                return
            if not self._equipment.faults.is_offline():
                self._shown = tuple(self._crew.installed())
                self._updated = self._equipment.now()
            self._memory.keep(DEVICES, self.thing, self._document())

    def _document(self) -> dict[str, Any]:
        return {
            "thing": self.thing,
            "order": self.order,
            "spec": self.spec.document(),
            "architecture": self.attributes["architecture"],
            "status": "HEALTHY" if self.is_healthy() else "UNHEALTHY",
            "updated": self._updated.isoformat(),
            "components": [
                {
                    "name": each.blueprint.name,
                    "version": each.blueprint.version,
                    "state": str(each.state),
                    "detail": each.detail,
                    "is_root": each.is_root,
                }
                for each in self._shown
            ],
        }

    def _note(self, text: str) -> None:
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n"
        with self._log_lock, (self.root / "logs" / "greengrass.log").open("a") as file:
            file.write(line)


def _unexpected(error: Exception) -> DeploymentError:
    message = f"unexpected {type(error).__name__}: {error}"
    return DeploymentError(message, codes=("NUCLEUS_ERROR",), types=("NUCLEUS_ERROR",))
