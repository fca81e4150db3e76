"""One component on a device: its lifecycle as processes, its states, its retries.

Each component lives in a thread of its own, as in the nucleus, so that one that waits for another inside its
script does not hold up the rest. All threads of a device share one condition, its bell, rung on every change.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from local_cloud import processes

from .blueprint import GOOD_STATES, Blueprint, Premises, State
from .errors import RecipeError
from .faults import CRASH_IN_INSTALL, SLOW, UNHEALTHY, Fault
from .gate import HOLD_SECONDS
from .lifecycle import Step, is_skipped

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_ERRORS = 3
ERROR_WINDOW_SECONDS = 3600.0
"""Three errors in the same step break a component; an hour without one clears the count (nucleus source)."""

RESTART = 100
REBOOT = 101
"""Exit codes of a Bootstrap step, from the recipe reference of the AWS IoT Greengrass V2 guide."""

_STOP_GRACE_SECONDS = 5.0
_RUN_HOLD_SECONDS = 0.5
_TAIL_BYTES = 4096


class BootstrapError(Exception):
    """A Bootstrap step failed; the message says how."""


class _StoppedError(Exception):
    """The device wants the component to stop."""


class _DependencyLostError(Exception):
    """A hard dependency is no longer up, or started anew, so the component must start again after it."""


class _StepError(Exception):
    """A lifecycle step failed; the message says how, `code` is the exit code if it ended."""

    def __init__(self, step: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.step = step
        self.code = code


class Component:
    """A component on a device: `start` and `stop` are the device's, the rest is its thread's."""

    def __init__(
        self,
        blueprint: Blueprint,
        premises: Premises,
        *,
        bell: threading.Condition,
        peer: Callable[[str], Component | None],
    ) -> None:
        self.blueprint = blueprint
        self.state = State.NEW
        self.detail = ""
        self.changed = premises.now()
        self.starts = 0
        self._premises = premises
        self._bell = bell
        self._peer = peer
        self._stopping = False
        self._installed = False
        self._first_up: float | None = None
        self._up_since = 0.0
        self._errors: dict[str, list[float]] = {}
        self._dependency_starts: dict[str, int] = {}
        self._processes: list[processes.Process] = []
        self._thread = threading.Thread(target=self._live, name=f"component {blueprint.name}", daemon=True)

    def start(self) -> None:
        """Begin to install and start the component."""
        self._premises.work.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    @property
    def is_new(self) -> bool:
        """Whether the component has not been started yet."""
        return self._thread.ident is None

    def bootstrap(self) -> int:
        """Run the Bootstrap step before the component starts; returns its exit code.

        0 means nothing, RESTART that the core software shall restart, REBOOT the device. Raises
        BootstrapError for any other and for a step that takes too long.
        """
        self._premises.work.mkdir(parents=True, exist_ok=True)
        try:
            self._run("Bootstrap")
        except _StepError as error:
            if error.code in (RESTART, REBOOT):
                return error.code
            raise BootstrapError(str(error)) from error
        except _StoppedError as error:
            message = "the device was switched off"
            raise BootstrapError(message) from error
        return 0

    def interrupt(self) -> None:
        """Tell the component that it has to stop, without waiting for it."""
        with self._bell:
            self._stopping = True
            self._bell.notify_all()

    def stop(self) -> None:
        """Shut the component down and return when nothing of it runs."""
        self.interrupt()
        if self._thread.ident is not None:
            self._thread.join()

    def is_settled(self, seconds: float) -> bool:
        """Tell whether the component is up; a Run script counts as up once it has lasted `seconds`."""
        if self.state is State.RUNNING and "Run" in self.blueprint.lifecycle.steps:
            return time.monotonic() - self._up_since >= seconds
        return self.state in GOOD_STATES

    def last_lines(self, count: int = 5) -> list[str]:
        """Return the last lines that the component wrote, at most `count`, blank ones left out."""
        if not self._premises.log.exists():
            return []
        with self._premises.log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]

    def _live(self) -> None:
        """Install, start and watch the component; again after an error, or when a dependency started anew."""
        try:
            while self._live_once():
                pass
        except _StoppedError:
            self._shut_down("stopped by the device")
        except Exception as error:
            # A fault of ours must fail the deployment that waits for this component, not hang it.
            self._enter(State.BROKEN, f"unexpected {type(error).__name__}: {error}")
            raise
        finally:
            self._end_processes()

    def _live_once(self) -> bool:
        """Live until an error or a lost dependency; tell whether to live again."""
        try:
            self._wait(self._dependencies_are_up)
            self._install()
            self._operate()
            self._wait(lambda: False, seconds=self._seconds_until_ill(), tied=True)
            raise _ill()
        except _DependencyLostError:
            self._shut_down("a hard dependency starts anew")
            self._enter(State.INSTALLED)
        except _StepError as error:
            return self._recover(error)
        return True

    def _install(self) -> None:
        if not self._installed:
            self._run("Install")
            self._installed = True
            self._enter(State.INSTALLED)

    def _operate(self) -> None:
        self.starts += 1
        self._enter(State.STARTING)
        run = self.blueprint.lifecycle.steps.get("Run")
        self._run("Startup")
        if run is not None and not self._is_skipped(run):
            self._enter(State.RUNNING)
            self._run("Run", tied=True)
        up = State.RUNNING if "Startup" in self.blueprint.lifecycle.steps else State.FINISHED
        self._enter(up)

    def _seconds_until_ill(self) -> float | None:
        """Return when the fault `unhealthy` strikes, counted from when the component first was up."""
        self._first_up = self._first_up or time.monotonic()
        fault = self._premises.faults.find(UNHEALTHY, self.blueprint.name)
        return None if fault is None else max(0.0, self._first_up + fault.after - time.monotonic())

    def _recover(self, error: _StepError) -> bool:
        """Clean up after an error; tell whether the component may try again."""
        self._end_processes()
        self._enter(State.ERRORED, str(error))
        if self._count_error(error.step) >= MAX_ERRORS:
            self._enter(State.BROKEN, str(error))
            return False
        try:
            self._run("Recover")
        except _StepError as failure:
            self._note(str(failure))
        return True

    def _count_error(self, step: str) -> int:
        now = time.monotonic()
        recent = [at for at in self._errors.get(step, []) if now - at < ERROR_WINDOW_SECONDS]
        self._errors[step] = [*recent, now]
        return len(self._errors[step])

    def _shut_down(self, reason: str) -> None:
        """Run Shutdown beside what still runs, as the nucleus does, then end all processes."""
        was_started = self.state in (State.STARTING, State.RUNNING, State.FINISHED)
        self._enter(State.STOPPING, reason)
        try:
            if was_started:
                self._run("Shutdown", stoppable=False)
        except _StepError as failure:
            self._note(str(failure))
        self._end_processes()

    def _run(self, name: str, *, stoppable: bool = True, tied: bool = False) -> None:
        """Run one step, if there is one, to its end; raises _StepError when it fails or takes too long."""
        step = self._step(name)
        if step is None or self._is_skipped(step):
            return
        hold = _RUN_HOLD_SECONDS if name == "Run" else HOLD_SECONDS
        place = self._premises.gate.enter(lambda: not (stoppable and self._stopping), hold)
        try:
            self._run_in_place(step, stoppable=stoppable, tied=tied)
        finally:
            self._premises.gate.leave(place)

    def _run_in_place(self, step: Step, *, stoppable: bool, tied: bool) -> None:
        limit = _seconds(step)
        deadline = math.inf if limit is None else time.monotonic() + limit
        slow = self._premises.faults.find(SLOW, self.blueprint.name) or Fault(kind=SLOW)
        self._dawdle(step, slow.delay, deadline, stoppable=stoppable)
        begun = time.monotonic()
        process = self._attend(step, deadline, stoppable=stoppable, tied=tied)
        if process.returncode == 0:
            longer = (slow.factor - 1) * (time.monotonic() - begun)
            self._dawdle(step, longer, deadline, stoppable=stoppable)
        self._judge(step, process)

    def _step(self, name: str) -> Step | None:
        step = self.blueprint.lifecycle.steps.get(name)
        if name == "Install" and self._premises.faults.crashes_install(self.blueprint.name):
            return Step(name=name, script=f'echo "fault: {CRASH_IN_INSTALL}" >&2; kill -SEGV $$')
        return step

    def _dawdle(self, step: Step, seconds: float, deadline: float, *, stoppable: bool) -> None:
        """Take longer than need be, as the fault `slow` has it, against the step's own limit."""
        if seconds > 0:
            left = deadline - time.monotonic()
            self._wait(lambda: False, seconds=min(seconds, left), stoppable=stoppable)
            if seconds > left:
                raise _late(step)

    def _attend(self, step: Step, deadline: float, *, stoppable: bool, tied: bool) -> processes.Process:
        """Start a step's script and wait until it ends or has lasted too long."""
        left = deadline - time.monotonic()
        if step.name == "Run" and (ill := self._seconds_until_ill()) is not None:
            left = min(left, ill)
        process = self._launch(step)
        try:
            self._wait(
                lambda: process.returncode is not None,
                seconds=None if left == math.inf else left,
                stoppable=stoppable,
                tied=tied,
            )
        except _StoppedError:
            # A Run script may need to be alive for Shutdown; any other is only interrupted.
            if step.name != "Run":
                process.stop(_STOP_GRACE_SECONDS)
            raise
        return process

    def _judge(self, step: Step, process: processes.Process) -> None:
        code = process.returncode
        # What a Startup script leaves in the background is the component; other steps leave nothing.
        if step.name != "Startup" or code != 0:
            process.stop(_STOP_GRACE_SECONDS)
            self._processes.remove(process)
        if code is None:
            if step.name == "Run" and self._seconds_until_ill() == 0:
                raise _ill()
            raise _late(step)
        if code != 0:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            message = f"{step.name} ended with {how}"
            raise _StepError(step.name, message, code)
        self._errors.pop(step.name, None)

    def _launch(self, step: Step) -> processes.Process:
        environment = {
            **self._premises.environment,
            **self.blueprint.lifecycle.setenv,
            **step.setenv,
        }
        try:
            process = processes.start(
                ["/bin/sh", "-c", step.script],
                cwd=self._premises.work,
                env=environment,
                log=self._premises.log,
                on_exit=self._ring,
            )
        except (OSError, ValueError) as error:
            message = f"{step.name} cannot be started: {error}"
            raise _StepError(step.name, message) from error
        self._processes.append(process)
        return process

    def _is_skipped(self, step: Step) -> bool:
        path = self.blueprint.lifecycle.setenv.get("PATH", self._premises.environment.get("PATH", ""))
        try:
            return is_skipped(step, path)
        except RecipeError as error:
            raise _StepError(step.name, str(error)) from error

    def _end_processes(self) -> None:
        while self._processes:
            self._processes.pop().stop(_STOP_GRACE_SECONDS)

    def _dependencies_are_up(self) -> bool:
        peers = {name: self._peer(name) for name in self.blueprint.hard_dependencies}
        self._dependency_starts = {name: peer.starts for name, peer in peers.items() if peer is not None}
        return all(peer is not None and peer.state in GOOD_STATES for peer in peers.values())

    def _lost_a_dependency(self) -> bool:
        peers = {name: self._peer(name) for name in self.blueprint.hard_dependencies}
        return any(
            peer is None or peer.state not in GOOD_STATES or peer.starts != self._dependency_starts[name]
            for name, peer in peers.items()
        )

    def _wait(
        self,
        condition: Callable[[], bool],
        *,
        seconds: float | None = None,
        stoppable: bool = True,
        tied: bool = False,
    ) -> None:
        """Wait for a condition, a limit or an interruption; `tied` heeds the loss of a hard dependency."""

        def is_over() -> bool:
            interrupted = (stoppable and self._stopping) or (tied and self._lost_a_dependency())
            return interrupted or condition()

        with self._bell:
            self._bell.wait_for(is_over, seconds)
            if stoppable and self._stopping:
                raise _StoppedError
            if tied and not condition() and self._lost_a_dependency():
                raise _DependencyLostError

    def _enter(self, state: State, detail: str = "") -> None:
        with self._bell:
            self.state = state
            self.detail = detail
            self.changed = self._premises.now()
            self._up_since = time.monotonic()
            self._bell.notify_all()
        self._note(f"{state}{': ' if detail else ''}{detail}")

    def _note(self, text: str) -> None:
        self._premises.note(f"{self.blueprint.name} {self.blueprint.version} {text}")

    def _ring(self) -> None:
        with self._bell:
            self._bell.notify_all()


def _late(step: Step) -> _StepError:
    message = f"{step.name} did not end within {step.seconds:g} s"
    return _StepError(step.name, message)


def _ill() -> _StepError:
    message = f"fault: {UNHEALTHY}"
    return _StepError(UNHEALTHY, message)


def _seconds(step: Step) -> float | None:
    try:
        return step.seconds
    except RecipeError as error:
        raise _StepError(step.name, str(error)) from error
