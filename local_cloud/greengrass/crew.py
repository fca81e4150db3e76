"""The components that a device runs: brought from one installation to the next, started, stopped, watched."""

from __future__ import annotations

import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import errors
from .blueprint import Blueprint, Premises, State
from .component import BootstrapError, Component
from .planning import NUCLEUS_VERSION, Installation, changed_components

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from .equipment import Equipment
    from .errors import DeploymentError
    from .gate import Gate

_INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class InstalledComponent:
    """A component as the device reports it."""

    blueprint: Blueprint
    is_root: bool
    state: State
    detail: str
    changed: datetime


class SwitchedOffError(Exception):
    """The device is being switched off."""


class Crew:
    """The components of one device; its device's thread changes it, any thread may look.

    `bell` is rung on every change of any component, `heard` is called after it.
    """

    def __init__(
        self,
        equipment: Equipment,
        *,
        region: str,
        bell: threading.Condition,
        gate: Gate,
        heard: Callable[[str], None],
        settle_seconds: float,
    ) -> None:
        self.installation = Installation()
        self._equipment = equipment
        self._region = region
        self._bell = bell
        self._gate = gate
        self._heard = heard
        self._settle_seconds = settle_seconds
        self._components: dict[str, Component] = {}
        self._off = False

    def installed(self) -> list[InstalledComponent]:
        """Return the components as they are now."""
        with self._bell:
            return [self._installed(component) for component in self._components.values()]

    def apply(self, after: Installation) -> None:
        """Make the device run an installation; raises DeploymentError when a component breaks."""
        running = {name: component.blueprint for name, component in self._components.items()}
        changed = changed_components(running, after.blueprints) | self._broken()
        self.stop([name for name in running if name in changed or name not in after.blueprints])
        with self._bell:
            self.installation = after
            kept = self._components
            self._components = {
                name: kept.get(name) or self._component(blueprint)
                for name, blueprint in after.blueprints.items()
            }
        if self._bootstrap([name for name in after.blueprints if _needs_bootstrap(name, running, after)]):
            self._restart()
        self._start([each for name, each in self._components.items() if self._components[name].is_new])

    def boot(self, installation: Installation) -> None:
        """Start all components of an installation, as a device does that is switched on."""
        with self._bell:
            self.installation = installation
            self._components = {
                name: self._component(blueprint) for name, blueprint in installation.blueprints.items()
            }
        for component in list(self._components.values()):
            component.start()

    def switch_off(self) -> None:
        """Let nothing start any more; `stop` stops what runs."""
        with self._bell:
            self._off = True
            self._bell.notify_all()
            waiting = [each for each in self._components.values() if each.is_new]
        for component in waiting:
            component.interrupt()

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop components, all by default, dependents before what they depend on, and forget them."""
        for name in reversed(list(self._components) if names is None else names):
            self._components[name].stop()
            with self._bell:
                del self._components[name]

    def _bootstrap(self, names: Sequence[str]) -> bool:
        """Run the Bootstrap steps in the order of dependencies; tell whether the device must restart."""
        codes = []
        for name in names:
            try:
                codes.append(self._components[name].bootstrap())
            except BootstrapError as error:
                self._check_on()
                message = f"component {name}: {error}; see logs/{name}.log on the device"
                raise errors.bootstrap(message) from error
        return any(codes)

    def _restart(self) -> None:
        """Do what a Bootstrap step asked for: the core software restarts, and everything that it runs."""
        self._heard("restarts, as a Bootstrap step asks")
        with self._bell:
            blueprints = {name: each.blueprint for name, each in self._components.items()}
        self.stop()
        with self._bell:
            self._components = {name: self._component(each) for name, each in blueprints.items()}

    def _start(self, components: Sequence[Component]) -> None:
        for component in components:
            component.start()
        with self._bell:
            while not all(component.is_settled(self._settle_seconds) for component in components):
                self._check_on()
                for component in components:
                    if component.state is State.BROKEN:
                        raise _broken(component)
                self._bell.wait(_POLL_SECONDS)

    def _check_on(self) -> None:
        if self._off:
            raise SwitchedOffError

    def _broken(self) -> set[str]:
        return {name for name, component in self._components.items() if component.state is State.BROKEN}

    def _installed(self, component: Component) -> InstalledComponent:
        return InstalledComponent(
            blueprint=component.blueprint,
            is_root=self.installation.is_root(component.blueprint.name),
            state=component.state,
            detail=component.detail,
            changed=component.changed,
        )

    def _component(self, blueprint: Blueprint) -> Component:
        premises = Premises(
            work=self._equipment.work(blueprint.name),
            log=self._equipment.root / "logs" / f"{blueprint.name}.log",
            environment=_environment(self._equipment, self._region, os.environ),
            note=self._heard,
            now=self._equipment.now,
            faults=self._equipment.faults,
            gate=self._gate,
        )
        return Component(blueprint, premises, bell=self._bell, peer=self._peer)

    def _peer(self, name: str) -> Component | None:
        return self._components.get(name)


def _needs_bootstrap(name: str, before: Mapping[str, Blueprint], after: Installation) -> bool:
    """Say whether a component's Bootstrap step is due: it is new, or has another version or another step."""
    old, new = before.get(name), after.blueprints[name]
    step = new.lifecycle.steps.get("Bootstrap")
    if step is None or old is None:
        return step is not None
    return old.version != new.version or old.lifecycle.steps.get("Bootstrap") != step


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
