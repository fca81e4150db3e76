"""aws and entry: sessions in the use case's account, and how AWS's errors reach the definition."""

from __future__ import annotations

import gc
import re
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from moto import mock_aws

from tasks import aws, entry
from tasks.errors import (
    ERRORS,
    CapacityError,
    JobFailedError,
    TaskError,
    TaskInputError,
    TransientError,
    with_log,
)
from tasks.event import Run, UseCase, parse_usecase
from tasks.fields import Fields
from tests.unit.tasks.fakes import USECASE, payload
from tests.unit.tasks.faults import refuse, service_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUN = Run(id="run 1/äö", arn="arn:run", pipeline="p")
CONTEXT = SimpleNamespace(log_group_name="/aws/lambda/edgepipe-train")


@pytest.fixture
def usecase(monkeypatch: pytest.MonkeyPatch) -> Iterator[UseCase]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    aws.forget()
    with mock_aws():
        yield parse_usecase(Fields(USECASE, "usecase"))
    aws.forget()


def test_the_collector_is_on_again_after_a_client_was_made_or_not(usecase: UseCase) -> None:
    aws.client("s3", usecase, RUN)
    assert gc.isenabled()
    with pytest.raises(Exception, match="no-such-service"):
        aws.client("no-such-service")
    assert gc.isenabled()


def test_clients_act_in_the_account_they_are_asked_for(usecase: UseCase) -> None:
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
    inside = aws.client("sts", usecase, RUN).get_caller_identity()
    assert inside["Account"] == "210987654321"
    assert inside["Arn"].endswith("assumed-role/edgepipe/edgepipe-run-1---")


def test_clients_are_made_once_and_renewed_in_time(usecase: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    first = aws.client("s3", usecase, RUN)
    assert aws.client("s3", usecase, RUN) is first
    assert aws.client("s3") is aws.client("s3")
    later = time.time() + 3600 - 500
    monkeypatch.setattr(aws, "time", SimpleNamespace(time=lambda: later))
    assert aws.client("s3", usecase, RUN) is not first


def test_another_external_id_is_another_session(usecase: UseCase) -> None:
    other = parse_usecase(Fields({**USECASE, "external_id": "other"}, "usecase"))
    assert aws.client("s3", usecase, RUN) is not aws.client("s3", other, RUN)


def test_a_role_that_does_not_trust_us_is_named_with_the_remedy(usecase: UseCase) -> None:
    class Sts:
        def assume_role(self, **request: Any) -> None:
            assert request["ExternalId"] == USECASE["external_id"]
            refuse("AccessDenied", status=403)

    with pytest.raises(
        TaskInputError, match=r"cannot assume arn:aws:iam::210987654321:role/edgepipe .*trust policy"
    ):
        aws._assume(usecase, RUN, Sts())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (service_error("ThrottlingException"), TransientError),
        (service_error("SlowDown", status=503), TransientError),
        (service_error("Unheard", status=500), TransientError),
        (service_error("Unheard", status=429), TransientError),
        (service_error("ExpiredToken"), TransientError),
        (service_error("ResourceLimitExceeded"), CapacityError),
        (service_error("ValidationException"), TaskInputError),
        (service_error("AccessDenied", status=403), TaskInputError),
        (EndpointConnectionError(endpoint_url="https://x"), TransientError),
        (ReadTimeoutError(endpoint_url="https://x"), TransientError),
        (ConnectionResetError("gone"), TransientError),
        (NoCredentialsError(), TaskInputError),
        (KeyError("a fault of ours"), None),
    ],
)
def test_translate(error: Exception, expected: type[TaskError] | None) -> None:
    assert type(aws.translate(error)) is (expected or type(None))


def _raising(error: Exception) -> entry.Handler:
    def run(_payload: Mapping[str, Any]) -> dict[str, Any]:
        raise error

    return entry.guarded(run)


def test_errors_leave_with_the_log_of_the_lambda() -> None:
    with pytest.raises(TransientError, match=re.escape("(log: /aws/lambda/edgepipe-train)")):
        _raising(service_error("Throttling"))({}, CONTEXT)
    with pytest.raises(TaskInputError, match=re.escape("wrong (log: /aws/lambda/edgepipe-train)")):
        _raising(TaskInputError("wrong"))({}, CONTEXT)


def test_a_log_that_is_named_already_stays_the_only_one() -> None:
    with pytest.raises(JobFailedError, match=r"^exit 1 \(log: /aws/sagemaker/TrainingJobs/j\)$"):
        _raising(JobFailedError("exit 1 (log: /aws/sagemaker/TrainingJobs/j)"))({}, CONTEXT)
    assert with_log("x", "") == "x"


def test_a_fault_of_ours_keeps_its_name() -> None:
    with pytest.raises(KeyError):
        _raising(KeyError("x"))({}, CONTEXT)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"step": "Train"}, "event.step must match"),
        ({"timeout_seconds": "1"}, "event.timeout_seconds must be a whole number; it is '1'"),
        ({"timeout_seconds": 0}, "1 or more; it is 0"),
        ({"run": None}, "event has no 'run', which must be an object"),
        ({"run": {"id": "../x", "arn": "a", "pipeline": "p"}}, "event.run.id must match"),
        ({"usecase": {**USECASE, "account": 210987654321}}, "event.usecase.account must be a string"),
        ({"usecase": {**USECASE, "data_bucket": "a/../b"}}, "event.usecase.data_bucket must match"),
        ({"inputs": {"model": {"type": "model", "uri": "file:///etc"}}}, "is not an s3:// address"),
        (
            {"inputs": {"model": {"type": "model", "uri": "s3://bucket/k", "digest": "md5:1"}}},
            "event.inputs.model.digest must match",
        ),
        ({"inputs": {"package": {"../x": {}}}}, "is a target whose name must match"),
    ],
)
def test_a_wrong_event_is_told_by_its_field(changes: dict[str, Any], told: str) -> None:
    handler = entry.step(lambda event: {"step": event.step})
    assert handler(payload("train", {}), None) == {"step": "train"}
    with pytest.raises(TaskInputError, match=re.escape(told)):
        handler(payload("train", {}, **changes), None)


def test_a_payload_that_is_no_object_is_refused() -> None:
    with pytest.raises(TaskInputError, match="event has no 'step'"):
        entry.step(lambda _: {})([], None)  # type: ignore[arg-type]  # whatever was sent


def test_error_names_are_the_protocol() -> None:
    assert [error.__name__ for error in ERRORS] == [
        "TaskInputError",
        "TransientError",
        "CapacityError",
        "JobFailedError",
        "QualityGateError",
        "RejectedError",
        "RolloutError",
    ]
