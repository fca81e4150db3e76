"""The protocol's safeguards, each with what the code would be without it: simulated, every loss must show."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tasks import callback, events, protocol, sweeper
from tasks.protocol import Job, Proceed, Record, Running, Status, TakeOver
from tests.simulation.services import SimulatedJobs, SimulatedTable
from tests.unit.tasks.faults import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One safeguard taken out: what is replaced, and by what."""

    name: str
    owner: Any
    attribute: str
    instead: Any

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run without the safeguard."""
        with patch.object(self.owner, self.attribute, self.instead):
            yield


def _create_first(event: Any, work: Any, desk: Any) -> dict[str, Any]:
    intent = callback._intent(event, work, 0, now=int(desk.clock()))
    work.create(intent)
    return _start(event, work, desk)


def _create_first_by_any_name(event: Any, work: Any, desk: Any) -> dict[str, Any]:
    with patch.object(protocol, "job_name", lambda *_: f"job-{secrets.token_hex(6)}"):
        return _create_first(event, work, desk)


def _never_adopt(self: SimulatedJobs, job: Job) -> None:
    if job.name in self.jobs:
        refuse("ResourceInUse")
    _create(self, job)


def _overwrite(self: SimulatedTable, job: Job) -> bool:
    return self._call("record", lambda: self._put(job, when=True))


def _done_whoever(self: SimulatedTable, job: Job, answer: Any) -> bool:
    return self._call("done", lambda: self._put(replace(job, status=Status.DONE, answer=answer), when=True))


def _sent_whoever(self: SimulatedTable, job: Job) -> bool:
    def close() -> bool:
        return self._put(replace(self.items[job.job_key], status=Status.SENT), when=True)

    return self._call("sent", close)


def _claim_without_takeover(record: Job | None, intent: Job) -> protocol.Claim:
    return Record(job=intent) if record is None else Proceed(job=record)


def _claim_same_attempt(record: Job | None, intent: Job) -> protocol.Claim:
    decision = _claim(record, intent)
    if isinstance(decision, protocol.NextAttempt) and record is not None:
        return TakeOver(job=replace(record, token=intent.token, status=Status.DONE), before=record)
    return decision


def _sent_before_answer(job: Job, seen: Any, *, now: int, run_alive: bool) -> tuple[protocol.Effect, ...]:
    effects = _decide(job, seen, now=now, run_alive=run_alive)
    sends = [each for each in effects if isinstance(each, protocol.Send)]
    return (*(each for each in effects if each not in sends), *sends) if sends else effects


def _without(*unwanted: type) -> Callable[..., tuple[protocol.Effect, ...]]:
    def decide(job: Job, seen: Any, *, now: int, run_alive: bool) -> tuple[protocol.Effect, ...]:
        effects = _decide(job, seen, now=now, run_alive=run_alive)
        return tuple(each for each in effects if not isinstance(each, unwanted))

    return decide


def _absent_at_once(job: Job, *, now: int) -> tuple[protocol.Effect, ...]:
    return _await_creation(replace(job, claimed=-protocol.HANDLER_SECONDS), now=now)


def _wait_for_ever(_job: Job, **_facts: object) -> tuple[protocol.Effect, ...]:
    return ()


def _as_it_ended(_job: Job, answer: protocol.Answer) -> protocol.Answer:
    return answer


def _all_alive(_desk: object, _arn: str) -> bool:
    return True


def _sweep_until_trouble(desk: Any) -> dict[str, Any]:
    jobs = list(desk.jobs.open_jobs())
    for job in jobs:
        callback.settle(job, desk, run_alive=sweeper.is_running(desk, job.run.arn))
    return {"open": len(jobs)}


def _nothing(*_arguments: object, **_named: object) -> dict[str, Any]:
    return {"open": 0}


def _any_account(payload: Any, desk: Any) -> Iterator[Job]:
    if payload["detail-type"] in events.JOB_NAMES:
        yield from desk.jobs.open_jobs(name=payload["detail"]["TrainingJobName"])
    else:
        yield from _find_jobs(payload, desk)


def _seen_running(_job: Job, _desk: object) -> protocol.Seen:
    return Running()


def _take_over_blindly(self: SimulatedTable, job: Job, _before: Job) -> bool:
    return self._call("take over", lambda: self._put(job, when=True))


def _claim_unasked(event: Any, work: Any, desk: Any) -> Job | None:
    with patch.object(callback, "_beat", lambda *_: True):
        return _claim_delivery(event, work, desk)


_find_jobs = events.find_jobs
_start, _claim_delivery = callback.start, callback._claim
_create = SimulatedJobs._create
_claim, _decide, _await_creation = protocol.claim, protocol.decide, protocol._await_creation

ROWS: tuple[tuple[str, Any, str, Any], ...] = (
    ("the intent before the job", callback, "start", _create_first),
    # A record keeps its job's name, so that names matter only where the record comes late.
    ("names made of the step", callback, "start", _create_first_by_any_name),
    ("adoption", SimulatedJobs, "_create", _never_adopt),
    ("a record only once", SimulatedTable, "record", _overwrite),
    ("taking over", protocol, "claim", _claim_without_takeover),
    ("taken over only as read", SimulatedTable, "take_over", _take_over_blindly),
    ("a heartbeat before taking over", callback, "_claim", _claim_unasked),
    ("a new job after a failed one", protocol, "claim", _claim_same_attempt),
    ("done only for its token", SimulatedTable, "mark_done", _done_whoever),
    ("sent only for its token", SimulatedTable, "mark_sent", _sent_whoever),
    ("sent after the answer", protocol, "decide", _sent_before_answer),
    ("dead tokens forgiven", callback, "STALE", ()),
    ("looking at the service", callback, "observe", _seen_running),
    ("heartbeats", protocol, "decide", _without(protocol.Heartbeat)),
    ("stopping what is forsaken", protocol, "decide", _without(protocol.Stop)),
    ("a note before stopping", protocol, "decide", _without(protocol.MarkStopping)),
    ("a new job after a stopped one", protocol, "_own_up", _as_it_ended),
    ("stopping after its token died", protocol, "STALE_SECONDS", 10**9),
    ("time for the handler", protocol, "_await_creation", _absent_at_once),
    ("an end to waiting for it", protocol, "_await_creation", _wait_for_ever),
    ("asking after the run", sweeper, "is_running", _all_alive),
    ("one job not holding up others", sweeper, "sweep", _sweep_until_trouble),
    ("the sweeper", sweeper, "sweep", _nothing),
    ("the event's account", events, "find_jobs", _any_account),
)
REMOVALS = tuple(
    Removal(name=name, owner=owner, attribute=attribute, instead=instead)
    for name, owner, attribute, instead in ROWS
)
