"""jobs: the table's writes against moto's DynamoDB, and that the in-memory table does the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from tasks import jobs
from tasks.jobs import Jobs, JobTable
from tasks.protocol import Failure, Job, Status, Success
from tests.unit.tasks.fakes import Cloud
from tests.unit.tasks.test_protocol import JOB

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = Success(output={"model": {"uri": "s3://b/k"}, "metrics": {"recall": 0.5}})


def make_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="edgepipe-jobs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("job_key", "open")],
        KeySchema=[{"AttributeName": "job_key", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open-jobs",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "job_key", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture(params=["DynamoDB", "memory"])
def table(request: pytest.FixtureRequest) -> Iterator[Jobs]:
    """Return an empty table of either kind: what holds for one must hold for the other."""
    if request.param == "memory":
        yield Cloud().jobs
        return
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        make_table(dynamodb)
        asked: set[str] = set()
        note = "before-call.dynamodb"
        dynamodb.meta.events.register(note, lambda model, **_: asked.add(f"dynamodb:{model.name}"))
        yield JobTable(dynamodb=dynamodb, table="edgepipe-jobs")
        assert asked <= {*jobs.CLAIM_ACTIONS, *jobs.SETTLE_ACTIONS}


def test_a_record_is_written_once(table: Jobs) -> None:
    assert table.record(JOB)
    assert not table.record(replace(JOB, token="other"))
    assert table.read(JOB.job_key) == JOB
    assert table.read("unknown") is None


def test_an_answer_goes_from_done_to_sent_once(table: Jobs) -> None:
    table.record(JOB)
    assert not table.mark_sent(JOB)
    assert table.mark_done(JOB, GOOD)
    assert not table.mark_done(JOB, Failure(error="JobFailedError", cause="late"))
    assert list(table.open_jobs()) == [replace(JOB, status=Status.DONE, answer=GOOD)]
    assert table.mark_sent(JOB)
    assert not table.mark_sent(JOB)
    assert list(table.open_jobs()) == []
    assert table.read(JOB.job_key) == replace(JOB, status=Status.SENT, answer=GOOD)


def test_who_was_overtaken_changes_nothing(table: Jobs) -> None:
    table.record(JOB)
    taken = replace(JOB, token="new", claimed=2000, deadline=7000)
    assert table.mark_stale(JOB, 1500)
    assert table.take_over(taken, JOB)
    assert table.read(JOB.job_key) == taken, "and the dead token is forgotten"
    assert not table.take_over(replace(JOB, token="late"), JOB)
    assert not table.mark_done(JOB, GOOD)
    assert not table.mark_stale(JOB, 1600)
    assert not table.mark_stopping(JOB), "nor is the job stopped, for which somebody waits again"
    assert table.read(JOB.job_key) == taken


def test_a_job_that_is_being_stopped_stays_so_when_it_is_taken_over(table: Jobs) -> None:
    table.record(JOB)
    assert table.mark_stopping(JOB)
    stopping = table.read(JOB.job_key)
    assert stopping == replace(JOB, stopping=True)
    assert table.take_over(replace(stopping, token="redriven"), stopping)
    assert table.read(JOB.job_key) == replace(JOB, stopping=True, token="redriven")
    assert not table.mark_stopping(JOB)


def test_a_closed_record_that_is_taken_over_is_open_again(table: Jobs) -> None:
    table.record(JOB)
    table.mark_done(JOB, GOOD)
    table.mark_sent(JOB)
    closed = table.read(JOB.job_key)
    assert closed is not None
    again = replace(closed, token="redriven", status=Status.DONE)
    assert table.take_over(again, closed)
    assert list(table.open_jobs()) == [again]


def test_a_dead_token_keeps_the_time_it_was_first_seen(table: Jobs) -> None:
    table.record(JOB)
    assert table.mark_stale(JOB, 1500)
    table.mark_stale(JOB, 1600)
    assert table.read(JOB.job_key) == replace(JOB, stale_at=1500)


def test_open_jobs_are_found_by_run_and_by_name(table: Jobs) -> None:
    other = replace(JOB, job_key="l", name="other", run=replace(JOB.run, arn="arn:other"), target="arm64-cpu")
    table.record(JOB)
    table.record(other)
    assert {job.job_key for job in table.open_jobs()} == {"k", "l"}
    assert list(table.open_jobs(run_arn="arn:other")) == [other]
    assert list(table.open_jobs(name=JOB.name)) == [JOB]
    assert list(table.open_jobs(name="nobody")) == []


def test_every_page_of_the_index_is_read() -> None:
    items = [jobs.encode(replace(JOB, job_key=f"k{number}")) for number in range(3)]

    class Paged:
        def query(self, *, ExclusiveStartKey: int = 0, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
            more = {"LastEvaluatedKey": ExclusiveStartKey + 1} if ExclusiveStartKey < 2 else {}
            return {"Items": [items[ExclusiveStartKey]], **more}

    table = JobTable(dynamodb=Paged(), table="t")
    assert [job.job_key for job in table.open_jobs()] == ["k0", "k1", "k2"]


answers = st.builds(Failure, error=st.text(max_size=9), cause=st.text(max_size=20)) | st.builds(
    Success, output=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
)


@given(
    answer=st.none() | answers,
    stale=st.none() | st.integers(0, 2**40),
    target=st.none() | st.just("arm64-cpu"),
    stopping=st.booleans(),
)
def test_records_survive_the_table(
    answer: Any, stale: int | None, target: str | None, stopping: bool
) -> None:
    status = Status.PENDING if answer is None else Status.SENT
    job: Job = replace(JOB, answer=answer, stale_at=stale, target=target, status=status, stopping=stopping)
    assert jobs.decode(jobs.encode(job)) == job


def test_the_table_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.aws.client", lambda service: service)
    assert jobs.job_table() == JobTable(dynamodb="dynamodb", table="edgepipe-jobs")
    monkeypatch.setenv("EDGEPIPE_JOBS_TABLE", "mine")
    assert jobs.job_table().table == "mine"
