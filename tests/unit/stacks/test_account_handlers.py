from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from stacks.account_handlers import asset_copy, new_data, onboarding, reply

EVENT = {
    "RequestType": "Create",
    "ResponseURL": "https://cloudformation.example.com/reply",
    "StackId": "s",
    "RequestId": "r",
    "LogicalResourceId": "Rules",
}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sent(work: Any) -> dict[str, Any]:
    found: list[tuple[str, bytes]] = []
    reply.answer(EVENT, work, lambda url, body: found.append((url, body)))
    ((url, body),) = found
    assert url == EVENT["ResponseURL"]
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_cloudformation_hears_of_success() -> None:
    answer = sent(lambda _event: "bucket/owner")
    assert (answer["Status"], answer["PhysicalResourceId"], answer["RequestId"]) == (
        "SUCCESS",
        "bucket/owner",
        "r",
    )


def test_cloudformation_hears_of_every_failure() -> None:
    def fail(_event: reply.Event) -> str:
        message = "x" * 5_000
        raise OSError(message)

    answer = sent(fail)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "Rules")
    assert answer["Reason"].startswith("OSError: x")
    assert len(answer["Reason"]) == reply.MAX_REASON


def test_a_reply_goes_to_https_only() -> None:
    with pytest.raises(ValueError, match="no https address"):
        reply.send("file:///etc/passwd", b"")


class FakeS3:
    """Objects by (bucket, key); each has come at `came`."""

    def __init__(self, objects: dict[tuple[str, str], bytes], came: datetime = NOON) -> None:
        self.objects, self.came = objects, came
        self.written: list[str] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as boto3 names it
        self.written.append(Key)
        self.objects[Bucket, Key] = Body

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int = 1000) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        found = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        contents = [
            {"Key": key, "Size": len(self.objects[Bucket, key]), "LastModified": self.came} for key in found
        ]
        return {"Contents": contents[:MaxKeys]} if contents else {}

    def head_bucket(self, Bucket: str) -> None:  # noqa: N803 - as boto3 names it
        if not any(bucket == Bucket for bucket, _ in self.objects):
            fail("404")

    def get_paginator(self, _name: str) -> Pages:
        return Pages(self.list_objects_v2)


class FakeError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


def fail(code: str) -> NoReturn:
    raise FakeError(code)


class Pages:
    def __init__(self, ask: Any) -> None:
        self.ask = ask

    def paginate(self, **request: Any) -> list[Any]:
        return [self.ask(**request)]


def test_files_are_copied_once() -> None:
    source, target = FakeS3({("staging", "x.gz"): b"files"}), FakeS3({})
    files = [{"SourceBucket": "staging", "SourceKey": "x.gz", "Key": "assets/1/train.tar.gz"}]
    for _ in range(2):
        asset_copy.copy(source, target, {"Bucket": "results", "Files": files})
    assert target.objects == {("results", "assets/1/train.tar.gz"): b"files"}
    assert target.written == ["assets/1/train.tar.gz"]


class FakeStates:
    """The executions of one machine, the newest first."""

    def __init__(self) -> None:
        self.executions: list[dict[str, Any]] = []
        self.now = NOON

    def get_paginator(self, _name: str) -> Pages:
        return Pages(lambda **_request: {"executions": list(self.executions)})

    def start_execution(self, **request: Any) -> None:
        if any(each["name"] == request["name"] for each in self.executions):
            fail("ExecutionAlreadyExists")
        self.executions.insert(0, {"name": request["name"], "startDate": self.now})


LOOK = {"Machine": "m", "Alias": "m:live", "Bucket": "data", "Prefix": "images/", "MinObjects": 2}


@pytest.mark.parametrize(("count", "started"), [(0, 0), (1, 0), (2, 1), (5, 1)])
def test_a_run_starts_when_there_is_enough(count: int, started: int) -> None:
    states, s3 = FakeStates(), FakeS3({("data", f"images/{each}"): b"x" for each in range(count)})
    assert new_data.look(states, s3, LOOK)["objects"] == count
    assert len(states.executions) == started


def test_what_a_run_has_seen_starts_no_other() -> None:
    states, s3 = FakeStates(), FakeS3({("data", f"images/{each}"): b"x" for each in range(3)})
    states.now = NOON + timedelta(minutes=1)
    new_data.look(states, s3, LOOK)
    assert new_data.look(states, s3, LOOK) == {"objects": 0, "started": None}
    s3.came = NOON + timedelta(hours=1)
    assert new_data.look(states, s3, LOOK)["started"] is not None
    assert len({each["name"] for each in states.executions}) == 2


def test_runs_that_others_started_do_not_count() -> None:
    states, s3 = FakeStates(), FakeS3({("data", f"images/{each}"): b"x" for each in range(3)})
    states.executions = [{"name": "by-hand", "startDate": NOON + timedelta(days=1)}]
    assert new_data.look(states, s3, LOOK)["objects"] == 3


def test_two_looks_at_once_start_one_run() -> None:
    s3 = FakeS3({("data", f"images/{each}"): b"x" for each in range(3)})
    states = FakeStates()
    states.get_paginator = lambda _name: Pages(lambda **_request: {"executions": []})  # type: ignore[method-assign]  # both look before either has started
    names = {new_data.look(states, s3, LOOK)["started"] for _ in range(2)}
    assert len(names) == len(states.executions) == 1


class FakeSession:
    def __init__(self, account: str, s3: FakeS3) -> None:
        self.account, self.s3 = account, s3
        self.published: list[bytes] = []

    def client(self, service: str, **_options: Any) -> Any:
        return self.s3 if service == "s3" else self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": self.account}

    def create_component_version(self, inlineRecipe: bytes) -> None:  # noqa: N803 - as boto3 names it
        if inlineRecipe in self.published:
            fail("ConflictException")
        self.published.append(inlineRecipe)


USECASE = {"RoleArn": "role", "Account": "1", "Region": "r", "Buckets": ["data"], "ComponentBucket": "comp"}


def test_an_account_that_has_everything_is_ready() -> None:
    session = FakeSession("1", FakeS3({("data", "x"): b""}))
    assert onboarding.check(session, USECASE) == {"account": "1", "buckets": ["data"]}


@pytest.mark.parametrize(
    ("account", "message"), [("2", "role leads into account 2, not into 1"), ("1", "cannot see data: deploy")]
)
def test_what_an_account_lacks_is_named(account: str, message: str) -> None:
    with pytest.raises(onboarding.NotReadyError, match=message):
        onboarding.check(FakeSession(account, FakeS3({})), USECASE)


def test_the_shared_component_is_published_once() -> None:
    session = FakeSession("1", FakeS3({}))
    for _ in range(2):
        onboarding.provision(
            session, USECASE, recipe="uri: ${component_bucket}", archive=b"z", version="0.1.0"
        )
    assert session.published == [b"uri: comp"]
    assert ("comp", "components/com.edgepipe.LocalServer/0.1.0/local_server.zip") in session.s3.objects
