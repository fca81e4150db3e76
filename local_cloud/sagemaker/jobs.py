"""One job from its place in the queue to its end: a thread that watches a child process.

What it does not do: keep instances warm, bill, retry, or give a stopped script SageMaker's 120 seconds to
finish (it gets STOP_SECONDS).
"""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from local_cloud import processes
from local_cloud.sagemaker.errors import MAX_REASON, JobFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from local_cloud.clock import CloudClock
    from local_cloud.sagemaker.records import JobRecord

STOP_SECONDS = 5.0
NOTE_SECONDS = 5.0
"""How often a job notes for how long it has run: what is lost of it with a killed process counts anew."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program to run: its whole environment is given."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended, in the words of its Describe call."""

    status: str
    secondary: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


class Work(Protocol):
    """What distinguishes one kind of job from another."""

    max_seconds: int
    log: Path

    def prepare(self, interrupted: Callable[[], bool]) -> Command:
        """Lay out the container's folders and return what runs in them; raises JobFailedError."""

    def finish(self, code: int) -> Mapping[str, object]:
        """Judge the exit code, save what was made, return description fields; raises JobFailedError."""

    def salvage(self) -> Mapping[str, object]:
        """Save what a stopped job made so far."""

    def clean(self) -> None:
        """Remove what nobody needs once the job has ended."""


class Places:
    """How many jobs of one kind may run at once."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self, given_up: threading.Event) -> Iterator[None]:
        """Wait for a place and hold it; a job that was given up while waiting goes on without one."""
        held = self._wait(given_up)
        try:
            yield
        finally:
            if held:
                self._free.release()

    def _wait(self, given_up: threading.Event) -> bool:
        while not self._free.acquire(timeout=_POLL_SECONDS):
            if given_up.is_set():
                return False
        return True


class Job:
    """A job and the thread that runs it."""

    def __init__(
        self,
        work: Work,
        record: JobRecord,
        places: Places,
        *,
        clock: CloudClock,
        ended: Callable[[JobRecord], None],
    ) -> None:
        self.record = record
        self._work = work
        self._places = places
        self._clock = clock
        self._ended = ended
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job {record.name}", daemon=True)

    def start(self) -> None:
        """Queue the job."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the job to end; it does so soon after."""
        self.record.ask_to_stop()
        self._stop.set()

    def leave(self) -> None:
        """End the job because the cloud closes."""
        self.stop()

    def join(self, seconds: float) -> None:
        """Wait until the job has ended."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        with self._clock.working():
            with self._places.taken(self._stop):
                outcome = judge(self._carry_out, self._work.log)
            self._work.clean()
            self.record.end(outcome.status, secondary=outcome.secondary, **outcome.fields)
            self._ended(self.record)

    def _carry_out(self) -> Outcome:
        if self._stop.is_set():
            return Outcome(status="Stopped")
        self.record.enter("Downloading")
        command = self._work.prepare(self._stop.is_set)
        if self._stop.is_set():
            return Outcome(status="Stopped")
        self.record.enter("Training")
        code = self._run_command(command)
        if code is None:
            secondary = "Stopped" if self._stop.is_set() else "MaxRuntimeExceeded"
            return Outcome(status="Stopped", secondary=secondary, fields=self._work.salvage())
        self.record.enter("Uploading")
        return Outcome(status="Completed", fields=self._work.finish(code))

    def _run_command(self, command: Command) -> int | None:
        """Run the program to its end and return its exit code; None if it was stopped or took too long.

        A job that was begun again has only the time that it had left.
        """
        noted = time.monotonic()
        deadline = noted + self._work.max_seconds - self.record.used
        process = processes.start(command.argv, cwd=command.cwd, env=command.env, log=self._work.log)
        code: int | None = None
        try:
            while code is None and not self._stop.is_set() and time.monotonic() < deadline:
                code = process.wait(_POLL_SECONDS)
                if (now := time.monotonic()) - noted >= NOTE_SECONDS:
                    self.record.use(now - noted)
                    noted = now
        finally:
            process.stop(STOP_SECONDS if code is None else 0)
        return code


def judge(carry_out: Callable[[], Outcome], log: Path) -> Outcome:
    """Return how a job's work ended, whatever it raised."""
    try:
        return carry_out()
    except JobFailedError as error:
        return Outcome(status="Failed", fields=error.fields)
    except Exception as error:  # a bug of ours, or a full disk: the job must end and say so
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        reason = f"InternalServerError: {type(error).__name__}: {error}"[:MAX_REASON]
        return Outcome(status="Failed", fields={"FailureReason": reason})
