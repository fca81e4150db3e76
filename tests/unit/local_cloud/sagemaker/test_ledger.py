from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from local_cloud.sagemaker.ledger import Ledger
from local_cloud.sagemaker.records import JobRecord, Owner, ProcessingRecord, TrainingRecord
from local_cloud.store import Store

if TYPE_CHECKING:
    from pathlib import Path

OWNER = Owner(account="210987654321", region="eu-west-1")


def training(name: str) -> TrainingRecord:
    request = {"TrainingJobName": name, "RoleArn": "r", "Tags": [{"Key": "a", "Value": "b"}]}
    return TrainingRecord(request, name=name, arn=OWNER.arn("training-job", name))


def test_records_come_back_as_they_were_and_in_the_order_of_their_creation(tmp_path: Path) -> None:
    first, second = training("z"), training("a")
    first.enter("Downloading")
    second.end("Failed", FailureReason="AlgorithmError: no")
    third = ProcessingRecord({}, name="m", arn=OWNER.arn("processing-job", "m"))
    with closing(Store(tmp_path)) as store:
        for record in (third, second, first):
            Ledger(store).keep(record)
    with closing(Store(tmp_path)) as store:
        kept = Ledger(store).records()
    assert [type(record) for record in kept] == [TrainingRecord, TrainingRecord, ProcessingRecord]
    assert [record.response_object for record in kept] == [
        record.response_object for record in (first, second, third)
    ]
    assert [record.tags for record in kept] == [[{"Key": "a", "Value": "b"}]] * 2 + [[]]


def test_a_record_that_came_back_goes_on(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        Ledger(store).keep(training("t"))
        (record,) = Ledger(store).records()
    record.enter("Starting")
    record.end("Completed")
    assert record.status == "Completed"


def test_each_change_is_kept_and_the_last_one_counts() -> None:
    record, seen = training("t"), []

    def keep(changed: JobRecord) -> None:
        described: dict[str, Any] = changed.response_object
        seen.append((described["TrainingJobStatus"], described["SecondaryStatus"]))

    record.keep = keep
    record.enter("Downloading")
    record.ask_to_stop()
    record.end("Stopped")
    record.end("Completed")
    assert seen == [("InProgress", "Downloading"), ("Stopping", "Stopping"), ("Stopped", "Stopped")]


def test_without_a_store_nothing_is_kept() -> None:
    Ledger(None).keep(training("t"))
    assert Ledger(None).records() == []


def test_an_arn_names_its_owner() -> None:
    assert Owner.of(OWNER.arn("training-job", "t")) == OWNER
