"""A scenario: what a seed draws, its simulation, and which promises were kept.

The promises: no run is lost, no step has two jobs at once, no job outlives its run by two sweeps, no run
waits two sweeps for a job that ended, nobody is told what did not happen, every record is closed in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from tasks import callback, events, sweeper
from tasks.callback import Desk, Work
from tasks.errors import TaskError
from tasks.event import Run as RunFacts
from tasks.event import parse_event
from tasks.protocol import HANDLER_SECONDS, STALE_SECONDS, Status
from tests.simulation.scheduler import Faults, Scheduler
from tests.simulation.services import (
    RunningJob,
    SimulatedJobs,
    SimulatedStates,
    SimulatedTable,
    Verdict,
    throttled,
)
from tests.simulation.steps import Run
from tests.unit.tasks.fakes import USECASE, payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.scheduler import Process


def run_arn(number: int) -> str:
    """Name one of the runs."""
    return f"arn:aws:states:us-east-1:123456789012:execution:edgepipe-cookie-defects:run-{number}"


FIRST = run_arn(0)
SWEEP_SECONDS = 60.0
HEARTBEAT_SECONDS = 900.0
FOREIGN = "999999999999"
_EVENT = parse_event(payload("train", {}, token="none"))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens; times are seconds after the start."""

    seed: int
    runs: int = 1
    lengths: tuple[float, ...] = (200.0,)
    """How long each next job takes."""
    endings: tuple[str, ...] = ("Completed",)
    timeout: float = 3600.0
    aborted: tuple[float, ...] = ()
    redriven: tuple[float, ...] = ()
    lost_events: float = 0.0
    repeated_events: float = 0.0
    event_delay: float = 5.0
    foreign_events: bool = False
    lost_replies: float = 0.0
    lingers: float = 0.0
    """How long a run goes on after its step failed, as one does whose other branches still work."""
    unreachable: tuple[float, float] | None = None
    """From when until when the first run's account cannot be asked."""
    faults: Faults = field(default_factory=Faults)

    @property
    def end(self) -> float:
        """Return a time by which everything must be over."""
        trouble = max(self.faults.until - 1_000_000, *self.aborted, *self.redriven, 0)
        attempts = sum(self.lengths) + 24 * 3600
        return trouble + self.timeout * 2 + attempts + HANDLER_SECONDS + STALE_SECONDS


def draw(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    random = Random(seed)
    trouble = random.choice((0, 0, 300, 900, 1500))
    return Scenario(
        seed=seed,
        runs=random.choice((1, 1, 2)),
        lengths=tuple(random.choice((0, 3, 40, 200, 700, 1300)) for _ in range(3)),
        endings=tuple(random.choice(("Completed", "Completed", "Failed", "Capacity")) for _ in range(3)),
        timeout=random.choice((600, 1800, 3600)),
        aborted=tuple(random.uniform(0, 900) for _ in range(random.choice((0, 0, 0, 1)))),
        redriven=tuple(random.uniform(600, 2400) for _ in range(random.choice((0, 0, 1, 2)))),
        lost_events=random.choice((0.0, 0.3, 1.0)),
        repeated_events=random.choice((0.0, 0.5)),
        event_delay=random.choice((1, 60, 1500)),
        foreign_events=random.random() < 0.2,
        lingers=random.choice((0, 0, 0, 3000)),
        lost_replies=random.choice((0.0, 0.0, 0.6)),
        unreachable=(0, random.uniform(100, 1500)) if random.random() < 0.1 else None,
        faults=Faults(
            crash=random.choice((0.0, 0.05, 0.2)),
            throttle=random.choice((0.0, 0.1)),
            latency=random.choice((0.0, 1.0, 60.0)),
            until=1_000_000.0 + trouble,
        ),
    )


class Simulation:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario, *, traced: bool = False) -> None:
        self.scenario = scenario
        self.random = Random(scenario.seed + 1)
        self.verdict = Verdict()
        self.scheduler = Scheduler(self.random, scenario.faults, throttled)
        self.scheduler.traced = traced
        self.table = SimulatedTable(self.scheduler)
        self.jobs = SimulatedJobs(self.scheduler, self.verdict)
        self.states = SimulatedStates(self.scheduler, self.jobs, self.verdict)
        self.desk = Desk(
            jobs=self.table, states=self.states, clock=self.scheduler.clock, kind=lambda _kind: self.jobs
        )
        self.jobs.lengths = self._next_job
        self.jobs.on_end = self._announce
        self._sweeps: list[tuple[float, float]] = []
        """When the sweeps that nothing disturbed began and ended."""
        self._begun: dict[str, int] = {}
        self._handled: dict[str, float] = {}
        """When a run's last handler ended; one whose reply was lost may end after its step."""
        self._idle: dict[tuple[str, int], float] = {}
        """Since when the step of a run, in one of its lives, is over while the run goes on."""
        self._handling: set[str] = set()
        """The tokens whose handler is at work."""

    def run(self) -> Verdict:
        """Play the scenario to its end and judge it."""
        for number in range(self.scenario.runs):
            run = self._make_run(run_arn(number))
            self.scheduler.at(number * 7.0, run.begin)
        first = self.states.runs[FIRST]
        for times, do in ((self.scenario.aborted, first.abort), (self.scenario.redriven, first.redrive)):
            for time in times:
                self.scheduler.at(time, do)
        self._plan_outage()
        self.scheduler.at(self.random.uniform(0, SWEEP_SECONDS), self._sweep)
        self.scheduler.run(1_000_000.0 + self.scenario.end, self._is_over)
        self._judge_end()
        return self.verdict

    def _make_run(self, arn: str) -> Run:
        run = Run(
            arn=arn,
            scheduler=self.scheduler,
            random=self.random,
            timeout=self.scenario.timeout,
            heartbeat=HEARTBEAT_SECONDS,
            deliver=self._deliver,
            failed=self._give_up,
            ended=self._announce_end,
            neglected=self._judge_neglect,
        )
        self.states.runs[arn] = run
        return run

    def _next_job(self, run: str) -> tuple[float, str]:
        number = self._begun.get(run, 0)
        self._begun[run] = number + 1
        lengths, endings = self.scenario.lengths, self.scenario.endings
        return lengths[number % len(lengths)], endings[number % len(endings)]

    def _deliver(self, run: Run, token: str) -> None:
        facts = RunFacts(id=run.arn, arn=run.arn, pipeline="cookie-defects")
        event = replace(_EVENT, token=token, run=facts, timeout_seconds=int(self.scenario.timeout))
        work = Work(type="training", context={}, create=self.jobs.create)

        def handle() -> str | None:
            try:
                callback.start(event, work, self.desk)
            except TaskError as error:
                return type(error).__name__
            except Exception:  # as the edge of a Lambda turns a service's error into ours
                return "TransientError"
            return None

        def done(process: Process, error: str | None) -> None:
            self._handling.discard(token)
            self._handled[run.arn] = self.scheduler.now
            self._judge_handler(run, token, process, error)
            if process.died:
                run.hear_of_death(token, late=process.late)
            elif error:
                run.refuse(token, error)

        self._handling.add(token)
        self.scheduler.spawn(f"handler {token}", handle, done)
        if self.random.random() < self.scenario.lost_replies:
            self.scheduler.at(self.random.uniform(0, 20), lambda: run.lose_reply(token))

    def _give_up(self, run: Run) -> None:
        """Let the run end, at once or after it has lingered."""
        life = run.life
        if self.scenario.lingers:
            self._idle[run.arn, life] = self.scheduler.now
        self.scheduler.at(self.scenario.lingers, lambda: run.give_up(life))

    def _sweep(self) -> None:
        begun = self.scheduler.now

        def done(process: Process, _result: object) -> None:
            if not process.died and not process.stumbled:
                self._judge_sweep(begun)
                self._sweeps.append((begun, self.scheduler.now))

        self.scheduler.spawn("sweeper", lambda: _quietly(lambda: sweeper.sweep(self.desk)), done)
        self.scheduler.at(SWEEP_SECONDS, self._sweep)

    def _announce(self, job: RunningJob) -> None:
        for account, delay in self._draw_events():
            event = {
                "detail-type": "SageMaker Training Job State Change",
                "account": account,
                "region": USECASE["region"],
                "detail": {"TrainingJobName": job.name},
            }
            self.scheduler.at(delay, lambda event=event: self._hear(event))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults

    def _announce_end(self, run: Run) -> None:
        """Tell of the end of a run, by when it may have been redriven."""
        region, account = run.arn.split(":")[3:5]
        for _, delay in self._draw_events():
            event = {
                "detail-type": events.RUNS,
                "account": account,
                "region": region,
                "detail": {"executionArn": run.arn, "status": run.status},
            }
            self.scheduler.at(delay, lambda event=event: self._hear(event))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults

    def _draw_events(self) -> Iterator[tuple[str, float]]:
        delay = self.scenario.event_delay
        if self.random.random() >= self.scenario.lost_events:
            yield USECASE["account"], self.random.random() * delay
            if self.random.random() < self.scenario.repeated_events:
                yield USECASE["account"], self.random.random() * delay
        if self.scenario.foreign_events:
            yield FOREIGN, self.random.random() * delay

    def _hear(self, event: dict[str, Any]) -> None:
        def hear() -> None:
            found = _quietly(lambda: events.settle_event(event, self.desk)) or {}
            if event["account"] == FOREIGN and found.get("settled"):
                self.verdict.note("an event of a foreign account was acted on")

        self.scheduler.spawn("event", hear, lambda _process, _result: None)

    def _plan_outage(self) -> None:
        if self.scenario.unreachable:
            start, end = self.scenario.unreachable
            self.scheduler.at(start, lambda: self.jobs.unreachable.add(FIRST))
            self.scheduler.at(end, self.jobs.unreachable.clear)

    def _judge_handler(self, run: Run, token: str, process: Process, error: str | None) -> None:
        if process.died or process.stumbled or run.arn in self.jobs.unreachable:
            return
        if error:
            self.verdict.note("a handler failed though nothing else did")
        record = next((record for record in self.table.items.values() if record.token == token), None)
        job = self.jobs.jobs.get(record.name) if record else None
        if record and job and job.ended == job.created and record.status is Status.PENDING:
            self.verdict.note("a job that ended at once was not answered at once")

    def _judge_sweep(self, begun: float) -> None:
        """After two sweeps, one after the other, that nothing disturbed: what must have been seen to."""
        since = max((start for start, end in self._sweeps if end <= begun), default=0.0)
        for job in self.jobs.jobs.values():
            run = self.states.runs[job.run]
            before = job.created < since and run.ended_at is not None and run.ended_at < since
            if job.status == "InProgress" and before and not self._out_of_reach(run, since):
                self.verdict.note("a job outlives its run by two sweeps")
            late = max(self._seen_dead(run) + STALE_SECONDS + 1, job.created) < since
            if job.status == "InProgress" and late and not run.token and not self.scenario.unreachable:
                self.verdict.note("a job goes on long after its step is over")
        for run in self.states.runs.values():
            if run.token and run.token not in self._handling and run.waiting_since < since:
                self._judge_wait(run, run.token, since)

    def _out_of_reach(self, run: Run, since: float) -> bool:
        """Say whether the run's account could not be asked at a time, or cannot now."""
        outage = self.scenario.unreachable
        return outage is not None and run.arn == FIRST and since < 1_000_000.0 + outage[1]

    def _seen_dead(self, run: Run) -> float:
        """Return by when a sweep has seen that a lingering run no longer waits."""
        idle = max(self._idle.get((run.arn, run.life), self.scheduler.now), self._handled.get(run.arn, 0.0))
        return min((end for start, end in self._sweeps if start > idle), default=self.scheduler.now)

    def _judge_wait(self, run: Run, token: str, since: float) -> None:
        record = next((record for record in self.table.items.values() if record.token == token), None)
        if record is None:
            self.verdict.note("a run waits and no record has its token")
            return
        ended = self.jobs.jobs[record.name].ended if record.name in self.jobs.jobs else None
        if ended is not None and ended < since and not self._out_of_reach(run, since):
            self.verdict.note("a run waits two sweeps for a job that has ended")

    def _judge_neglect(self, run: Run) -> None:
        swept = sum(begun > self.scheduler.now - HEARTBEAT_SECONDS for begun, _ in self._sweeps)
        if swept >= 2 and run.arn not in self.jobs.unreachable and not self.scenario.unreachable:
            self.verdict.note("a run was swept and got no heartbeat")

    def _is_over(self) -> bool:
        return (
            not self._handling
            and all(run.status != "RUNNING" for run in self.states.runs.values())
            and not self.jobs.live()
            and all(job.status is Status.SENT for job in self.table.items.values())
            and self.scheduler.now - 1_000_000 > max((*self.scenario.aborted, *self.scenario.redriven, 0))
        )

    def _judge_end(self) -> None:
        if any(run.status == "RUNNING" for run in self.states.runs.values()):
            self.verdict.note("a run is lost: it is open after its deadline")
        if self.jobs.live():
            self.verdict.note("a job is left running")
        if any(job.status is not Status.SENT for job in self.table.items.values()):
            self.verdict.note("a record is left open")


def simulate(scenario: Scenario, *, traced: bool = False) -> tuple[Verdict, Scheduler]:
    """Play one scenario; the scheduler has the trace."""
    simulation = Simulation(scenario, traced=traced)
    return simulation.run(), simulation.scheduler


def _quietly(do: Any) -> Any:
    """Return what a Lambda returned; one that raises is called again by its schedule or not at all."""
    try:
        return do()
    except Exception:  # the services' faults, which the next sweep makes up for
        return None
