"""The whole protocol under random trouble: kills, retries, lost and repeated sweeps, throttling, aborts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import aws, sweeper, train
from tasks.errors import TaskError
from tasks.event import parse_event
from tasks.protocol import HANDLER_SECONDS, Status
from tests.unit.tasks.fakes import RUN_ARN, Cloud, Killed
from tests.unit.tasks.faults import service_error
from tests.unit.tasks.test_train import FIGURES, event

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = (
    "CreateTrainingJob",
    "DescribeTrainingJob",
    "SendTaskSuccess",
    "SendTaskFailure",
    "SendTaskHeartbeat",
)
deeds = st.one_of(
    st.tuples(st.just("retry"), st.none() | st.integers(0, 5)),
    st.tuples(st.just("repeat"), st.none() | st.integers(0, 5)),
    st.tuples(st.just("sweep"), st.none() | st.integers(0, 3)),
    st.tuples(st.just("end"), st.sampled_from(["Completed", "Failed"])),
    st.tuples(st.just("throttle"), st.sampled_from(CALLS)),
    st.tuples(st.just("wait"), st.sampled_from([60, 700, 1000])),
)


class Simulation:
    """One step of one run, as Step Functions drives it: one token waits at a time."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
        self.tokens = 0

    @property
    def token(self) -> str:
        return f"token-{self.tokens}"

    @property
    def running(self) -> list[str]:
        jobs = self.cloud.sagemaker.jobs
        return [name for name, job in jobs.items() if job["TrainingJobStatus"] == "InProgress"]

    def retry(self, kill_after: int | None) -> None:
        """Deliver the step with a new token, unless the last was answered well: then the state is over."""
        if "output" in self.cloud.stepfunctions.answers.get(self.token, {}):
            return
        self.tokens += 1
        self.cloud.stepfunctions.waiting = {self.token}
        self.repeat(kill_after)

    def repeat(self, kill_after: int | None) -> None:
        given = parse_event(event(self.token))
        self._attempt(lambda: train.launch(given, self.cloud.desk()), kill_after)

    def sweep(self, kill_after: int | None) -> None:
        self._attempt(lambda: sweeper.sweep(self.cloud.desk()), kill_after)

    def end(self, status: str) -> None:
        for name in self.running:
            job = self.cloud.sagemaker.jobs[name]
            job.update({"TrainingJobStatus": status, "FinalMetricDataList": FIGURES})
            self.cloud.s3.put(job["ModelArtifacts"]["S3ModelArtifacts"], b"model")

    def throttle(self, operation: str) -> None:
        self.cloud.errors.setdefault(operation, []).append(service_error("ThrottlingException"))

    def wait(self, seconds: int) -> None:
        self.cloud.now += seconds

    def calm(self) -> None:
        """Let the trouble end."""
        self.cloud.errors.clear()
        self.cloud.kill_after = None

    def _attempt(self, do: Callable[[], object], kill_after: int | None) -> None:
        self.cloud.kill_after = None if kill_after is None else self.cloud.changes + kill_after
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(aws, "client", self.cloud.client)
                do()
        except (Killed, TaskError, ClientError):
            # The process died, or the call failed as a Lambda's does; what is left is for the next one.
            return
        finally:
            self.cloud.kill_after = None


def simulate(steps: list[tuple[str, object]]) -> Simulation:
    simulation = Simulation()
    simulation.retry(None)
    for name, argument in steps:
        getattr(simulation, name)(argument)
        assert len(simulation.running) <= 1, "a step never has two jobs at once"
    simulation.calm()
    return simulation


@settings(max_examples=150)
@given(st.lists(deeds, max_size=12))
def test_whatever_happened_the_next_retry_is_answered(steps: list[tuple[str, object]]) -> None:
    simulation = simulate(steps)
    # The first retry may get the failure of a job that ended amid the trouble; the second has its own job.
    for _ in range(2):
        simulation.retry(None)
        simulation.end("Completed")
        simulation.sweep(None)
        assert simulation.token in simulation.cloud.stepfunctions.answers
    assert "output" in simulation.cloud.stepfunctions.answers[simulation.token]
    assert all(job.status is Status.SENT for job in simulation.cloud.jobs.items.values())


@settings(max_examples=150)
@given(st.lists(deeds, max_size=12))
def test_whatever_happened_nothing_outlives_its_run(steps: list[tuple[str, object]]) -> None:
    simulation = simulate(steps)
    simulation.cloud.stepfunctions.waiting.clear()
    simulation.cloud.stepfunctions.executions[RUN_ARN] = "ABORTED"
    simulation.wait(HANDLER_SECONDS + 1)
    simulation.sweep(None)
    assert simulation.running == []
    simulation.sweep(None)
    assert all(job.status is Status.SENT for job in simulation.cloud.jobs.items.values())
