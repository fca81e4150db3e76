"""Requests of one process to the one that drives a run."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from local_cloud.approvals import Decision
from local_cloud.requests import Requests, leave_answer, leave_stop
from local_cloud.store import Store

if TYPE_CHECKING:
    from pathlib import Path

YES = Decision(approved=True, comment="looks good", by="ann")
NO = Decision(approved=False, comment="", by="ben")


def test_the_driver_sees_what_others_ask(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        requests = Requests(store, "cookies-1")
        assert not requests.wants_stop()
        assert requests.answer("approve") is None
        leave_stop(tmp_path, "cookies-1")
        leave_answer(tmp_path, "cookies-1", "approve", NO)
        leave_answer(tmp_path, "cookies-1", "approve", YES)
        assert requests.wants_stop()
        requests.withdraw_stop()
        assert not requests.wants_stop()
        assert requests.answer("approve") == YES
        assert requests.answer("other") is None


def test_requests_to_one_run_are_forgotten_and_those_to_others_stay(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        for run_id in ("cookies-1", "cookies-11"):
            leave_stop(tmp_path, run_id)
        Requests(store, "cookies-1").forget()
        assert not Requests(store, "cookies-1").wants_stop()
        assert Requests(store, "cookies-11").wants_stop()
