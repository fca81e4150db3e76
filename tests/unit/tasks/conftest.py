"""What the handlers' tests share."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tasks import aws, callback, events, sweeper
from tests.unit.tasks.fakes import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


# The first example of a test loads botocore's models, which takes longer than hypothesis allows one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Give an empty cloud, which every handler of the test works in.

    Afterwards every call that was made must be among the rights that the tested module says it needs.
    """
    cloud = Cloud()
    monkeypatch.setattr(aws, "client", cloud.client)
    monkeypatch.setattr(callback, "open_desk", cloud.desk)
    yield cloud
    assert cloud.actions() <= _rights(request.module.__name__.rpartition("test_")[2])


def _rights(name: str) -> set[str]:
    if name == "callback":
        tested = [importlib.import_module("tasks.train"), events, sweeper]
    elif name in ("images", "greengrass"):
        tested = [importlib.import_module("tasks.transform"), importlib.import_module("tasks.deploy")]
    else:
        tested = [importlib.import_module(f"tasks.{name}"), sweeper]
    return {action for module in tested for action in module.ACTIONS}
