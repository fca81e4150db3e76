"""Roles that are a moment old: what is waited for, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations import settling
from operations.errors import OperationError

STATES = (
    "AccessDeniedException",
    "Neither the global service principal nor the regional one is authorized to assume the provided role.",
)
LAMBDA = (
    "InvalidParameterValueException",
    "The role defined for the function cannot be assumed by Lambda.",
)


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Create")


@dataclass
class Service:
    """A service that learns of the role after some calls."""

    error: Exception
    ignorant: int
    waited: list[float] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def create(self, **request: Any) -> str:
        self.requests.append(request)
        if len(self.requests) <= self.ignorant:
            raise self.error
        return "made"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("operations.settling.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (refusal(*STATES), True),
        (refusal(*LAMBDA), True),
        (refusal("AccessDeniedException", "User: x is not authorized to perform: states:Create"), False),
        (refusal("AccessDenied", STATES[1]), False),
        (refusal("InvalidParameterValueException", "Uploaded file must be a non-empty zip"), False),
        (refusal("InvalidArn", "Invalid Arn: 'Invalid Role'"), False),
        (ValueError(STATES[1]), False),
    ],
)
def test_only_a_role_that_is_not_known_yet_is_waited_for(error: Exception, unknown: bool) -> None:
    assert settling.is_unknown_yet(error) is unknown


@pytest.mark.parametrize("said", [STATES, LAMBDA])
@pytest.mark.parametrize("ignorant", range(len(settling.WAITS) + 1))
def test_the_same_call_is_made_until_the_role_is_known(
    said: tuple[str, str], ignorant: int, waits: list[float]
) -> None:
    service = Service(error=refusal(*said), ignorant=ignorant)
    assert settling.patiently(service.create, name="m", role="r") == "made"
    assert service.requests == [{"name": "m", "role": "r"}] * (ignorant + 1)
    assert waits == list(settling.WAITS[:ignorant])


def test_a_role_that_never_gets_known_is_one_line_with_the_remedy(waits: list[float]) -> None:
    service = Service(error=refusal(*STATES), ignorant=99)
    with pytest.raises(OperationError, match=r"run the same command again.* trust policy is wrong$"):
        settling.patiently(service.create)
    assert sum(waits) == 60


def test_any_other_refusal_is_passed_on_at_once(waits: list[float]) -> None:
    service = Service(error=refusal("AccessDeniedException", "not authorized to perform"), ignorant=1)
    with pytest.raises(ClientError):
        settling.patiently(service.create)
    assert waits == []


def test_a_second_refusal_of_another_kind_is_passed_on(waits: list[float]) -> None:
    errors = iter([refusal(*STATES), refusal("ConflictException", "busy")])

    def create() -> None:
        raise next(errors)

    with pytest.raises(ClientError, match="busy"):
        settling.patiently(create)
    assert waits == [1]
