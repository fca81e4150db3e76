"""A virtual core device: applies deployments in order, keeps components running, reports what became of it.

What a real core does and this one does not: users and privileges (every script runs as the user of the
local cloud), Bootstrap steps, Lambda and plugin components, inter-process communication, credentials for
components, resource limits, restarts of the device.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from local_cloud.clock import SystemClock, moment

from . import errors
from .component import Blueprint, Component, Premises, State
from .errors import DeploymentError
from .planning import NUCLEUS_VERSION, Equipment, Installation, Order, changed_components, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.clock import CloudClock

_INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What became of one deployment on one device, in the words of EffectiveDeployment."""

    order: Order
    status: str
    created: datetime
    modified: datetime
    reason: str = ""
    error_codes: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the device is done with the deployment."""
        return self.status not in ("QUEUED", "IN_PROGRESS")


@dataclass(frozen=True, kw_only=True)
class InstalledComponent:
    """A component as the device reports it."""

    blueprint: Blueprint
    is_root: bool
    state: State
    detail: str
    changed: datetime


class _ClosingError(Exception):
    """The device is being switched off."""


class Device:
    """One virtual core device. `root` holds its files; `report` hears of every change of an execution."""

    def __init__(
        self,
        equipment: Equipment,
        *,
        region: str,
        report: Callable[[Device, Execution], None],
        clock: CloudClock | None = None,
        settle_seconds: float = 0.5,
    ) -> None:
        self.thing = equipment.thing
        self.root = equipment.root
        self.attributes = equipment.attributes
        self.runtime = "edgepipe_virtual_core"
        self._clock = clock or SystemClock()
        self.created = moment(self._clock.now())
        self._equipment = equipment
        self._region = region
        self._report = report
        self._settle_seconds = settle_seconds
        self._bell = threading.Condition()
        self._executions: dict[str, Execution] = {}
        self._installation = Installation()
        self._components: dict[str, Component] = {}
        self._closing = False
        self._log_lock = threading.Lock()
        (self.root / "logs").mkdir(parents=True, exist_ok=True)
        (self.root / "home").mkdir(exist_ok=True)
        self._thread = threading.Thread(target=self._work, name=f"device {self.thing}", daemon=True)
        self._thread.start()

    def submit(self, order: Order) -> None:
        """Queue a deployment; those of the same target that still wait are cancelled."""
        now = moment(self._clock.now())
        for execution in self.executions():
            if execution.order.target == order.target:
                self.cancel(execution.order.deployment_id, f"superseded by deployment {order.deployment_id}")
        with self._bell:
            self._executions[order.deployment_id] = Execution(
                order=order, status="QUEUED", created=now, modified=now
            )
            self._bell.notify_all()

    def cancel(self, deployment_id: str, reason: str = "canceled by the user") -> None:
        """Cancel a deployment that the device has not begun; one that it has begun goes on, as on AWS."""
        with self._bell:
            execution = self._executions.get(deployment_id)
            if execution is None or execution.status != "QUEUED":
                return
            canceled = self._record(execution, "CANCELED", reason=reason)
        self._report(self, canceled)

    def executions(self) -> list[Execution]:
        """Return what became of every deployment that the device got, the latest first."""
        with self._bell:
            return list(reversed(self._executions.values()))

    def installed(self) -> list[InstalledComponent]:
        """Return the components on the device."""
        with self._bell:
            return [self._installed(component) for component in self._components.values()]

    def is_healthy(self) -> bool:
        """Tell whether no component is broken."""
        return all(component.state is not State.BROKEN for component in self.installed())

    def close(self) -> None:
        """Switch the device off: its components shut down, dependents first; again does nothing."""
        with self._bell:
            self._closing = True
            self._bell.notify_all()
        self._thread.join()

    def _installed(self, component: Component) -> InstalledComponent:
        return InstalledComponent(
            blueprint=component.blueprint,
            is_root=self._installation.is_root(component.blueprint.name),
            state=component.state,
            detail=component.detail,
            changed=component.changed,
        )

    def _work(self) -> None:
        try:
            while True:
                execution = self._next()
                with self._clock.working():
                    self._deploy(execution)
        except _ClosingError:
            self._note("switched off")
        finally:
            self._stop(list(self._components))

    def _next(self) -> Execution:
        def first() -> Execution | None:
            return next((each for each in self._executions.values() if each.status == "QUEUED"), None)

        with self._bell:
            self._bell.wait_for(lambda: self._closing or first() is not None)
            execution = first()
            if self._closing or execution is None:
                raise _ClosingError
            return self._record(execution, "IN_PROGRESS")

    def _deploy(self, execution: Execution) -> None:
        """Plan, apply, and undo if need be; the outcomes are those of the nucleus."""
        self._report(self, execution)
        before = self._installation
        try:
            after = plan(execution.order, before, self._equipment)
        except DeploymentError as error:
            self._fail(execution, "FAILED_NO_STATE_CHANGE", error)
            return
        except Exception as error:
            self._fail(execution, "FAILED_NO_STATE_CHANGE", _unexpected(error))
            return
        try:
            self._apply(after)
        except DeploymentError as error:
            self._undo(execution, before, error)
            return
        self._remove_unused_artifacts(before, after)
        self._finish(execution)

    def _undo(self, execution: Execution, before: Installation, error: DeploymentError) -> None:
        if not execution.order.rolls_back:
            self._fail(execution, "FAILED_ROLLBACK_NOT_REQUESTED", error)
            return
        try:
            self._apply(before)
        except DeploymentError as failure:
            both = DeploymentError(f"{error}; and then: {failure}", codes=error.codes[1:], types=error.types)
            self._fail(execution, "FAILED_UNABLE_TO_ROLLBACK", both)
        else:
            self._fail(execution, "FAILED_ROLLBACK_COMPLETE", error)

    def _apply(self, after: Installation) -> None:
        """Make the device run an installation; raises DeploymentError when a component breaks."""
        running = {name: component.blueprint for name, component in self._components.items()}
        changed = changed_components(running, after.blueprints) | self._broken_components()
        self._stop([name for name in running if name in changed or name not in after.blueprints])
        with self._bell:
            self._installation = after
            kept = self._components
            self._components = {
                name: kept.get(name) or self._component(blueprint)
                for name, blueprint in after.blueprints.items()
            }
        fresh = [component for name, component in self._components.items() if name not in kept]
        for component in fresh:
            component.start()
        self._wait_until_settled(fresh)

    def _stop(self, names: list[str]) -> None:
        """Stop components, dependents before what they depend on, and forget them."""
        for name in reversed(names):
            self._components[name].stop()
            with self._bell:
                del self._components[name]

    def _broken_components(self) -> set[str]:
        return {name for name, component in self._components.items() if component.state is State.BROKEN}

    def _wait_until_settled(self, components: list[Component]) -> None:
        with self._bell:
            while not all(component.is_settled(self._settle_seconds) for component in components):
                if self._closing:
                    raise _ClosingError
                for component in components:
                    if component.state is State.BROKEN:
                        raise _broken(component)
                self._bell.wait(_POLL_SECONDS)

    def _component(self, blueprint: Blueprint) -> Component:
        premises = Premises(
            work=self._equipment.work(blueprint.name),
            log=self.root / "logs" / f"{blueprint.name}.log",
            environment=_environment(self._equipment, self._region, os.environ),
            note=self._note,
        )
        return Component(blueprint, premises, bell=self._bell, peer=self._peer)

    def _peer(self, name: str) -> Component | None:
        return self._components.get(name)

    def _remove_unused_artifacts(self, before: Installation, after: Installation) -> None:
        for name, blueprint in before.blueprints.items():
            successor = after.blueprints.get(name)
            if successor is None or successor.version != blueprint.version:
                self._equipment.artifacts.remove(name, blueprint.version)

    def _finish(self, execution: Execution) -> None:
        # AWS words the same success differently for a thing and for a group.
        status = "SUCCEEDED" if ":thinggroup/" in execution.order.target else "COMPLETED"
        with self._bell:
            finished = self._record(execution, status, reason="SUCCESSFUL")
        self._report(self, finished)

    def _fail(self, execution: Execution, outcome: str, error: DeploymentError) -> None:
        with self._bell:
            failed = self._record(
                execution,
                "FAILED",
                reason=f"{error.codes[-1]}: {outcome}: {error}",
                error_codes=error.codes,
                error_types=error.types,
            )
        self._report(self, failed)

    def _record(self, execution: Execution, status: str, **details: str | tuple[str, ...]) -> Execution:
        changes = {"status": status, "modified": moment(self._clock.now()), **details}
        recorded = dataclasses.replace(execution, **changes)  # type: ignore[arg-type]  # checked by the callers
        self._executions[execution.order.deployment_id] = recorded
        self._note(f"deployment {execution.order.deployment_id} {status} {recorded.reason}".rstrip())
        return recorded

    def _note(self, text: str) -> None:
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n"
        with self._log_lock, (self.root / "logs" / "greengrass.log").open("a") as file:
            file.write(line)


def _environment(equipment: Equipment, region: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a component's scripts: what the nucleus gives, no secret of ours."""
    python = str(Path(sys.executable).parent)
    return {
        **{name: inherited[name] for name in _INHERITED if name in inherited},
        "PATH": os.pathsep.join([python, inherited.get("PATH", os.defpath)]),
        "HOME": str(equipment.root / "home"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_IOT_THING_NAME": equipment.thing,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "GGC_VERSION": NUCLEUS_VERSION,
        "SVCUID": uuid.uuid4().hex,
    }


def _broken(component: Component) -> DeploymentError:
    blueprint = component.blueprint
    said = "\n".join(component.last_lines()) or "(nothing)"
    message = (
        f"component {blueprint.name} {blueprint.version} is broken: {component.detail}; "
        f"its last lines in logs/{blueprint.name}.log on the device: {said}"
    )
    return errors.broken(message)


def _unexpected(error: Exception) -> DeploymentError:
    message = f"unexpected {type(error).__name__}: {error}"
    return DeploymentError(message, codes=("NUCLEUS_ERROR",), types=("NUCLEUS_ERROR",))
