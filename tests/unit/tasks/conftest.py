"""What the handlers' tests share."""

from __future__ import annotations

import pytest

from tasks import aws, callback
from tests.unit.tasks.fakes import Cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return an empty cloud, which every handler of the test works in."""
    cloud = Cloud()
    monkeypatch.setattr(aws, "client", cloud.client)
    monkeypatch.setattr(callback, "open_desk", cloud.desk)
    return cloud
