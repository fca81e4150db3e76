"""approvals: what counts as yes and no, and who is asked when."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from local_cloud.approvals import Approvals, Decision, check_answers, read_decision, user_name
from local_cloud.progress import Terminal
from local_cloud.requests import Requests, leave_answer
from local_cloud.store import Store
from pipelines.parameters import ParameterError
from tasks import approval
from tasks.approval import Approval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass
class Run:
    """A run that waits for one approval, and what it was told."""

    approvals: Approvals
    screen: io.StringIO
    told: list[tuple[bool, str]] = field(default_factory=list)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.approvals.look("arn")


@pytest.fixture
def keyboard() -> Iterator[tuple[TextIO, int]]:
    """Give an input stream and the descriptor that feeds it."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as stream:
        yield stream, writer


def start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    answers: Mapping[str, bool] | None = None,
    stdin: TextIO | None = None,
    message: str = "Ship to line 3?",
) -> Run:
    screen = io.StringIO()
    terminal = Terminal(screen, live=False)
    requests = Requests(Store(tmp_path), "run-1")
    approvals = Approvals(
        how="edgepipe approve run-1", answers=answers or {}, requests=requests, terminal=terminal, stdin=stdin
    )
    run = Run(approvals, screen)

    def answer(_arn: str, step: str, *, approved: bool, by: str, comment: str) -> bool:
        assert (step, bool(by)) == ("approve", True)
        run.told.append((approved, comment))
        return True

    def waiting(_arn: str) -> list[Any]:
        return [] if run.told else [Approval(step="approve", message=message, deadline=0)]

    monkeypatch.setattr(approval, "answer", answer)
    monkeypatch.setattr(approval, "open_approvals", waiting)
    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y\n", Decision(approved=True, comment="", by=user_name())),
        ("approve looks good\n", Decision(approved=True, comment="looks good", by=user_name())),
        ("Reject  too dark", Decision(approved=False, comment="too dark", by=user_name())),
        ("no", Decision(approved=False, comment="", by=user_name())),
        ("", None),
        ("yesterday", None),
    ],
)
def test_what_counts_as_an_answer(text: str, expected: Decision | None) -> None:
    assert read_decision(text) == expected


@pytest.mark.parametrize("approved", [True, False])
def test_a_flag_answers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, approved: bool) -> None:
    run = start(tmp_path, monkeypatch, answers={"approve": approved})
    run.look()
    assert run.told == [(approved, f"--{'approve' if approved else 'reject'} approve")]


def test_without_a_terminal_one_line_says_how_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(tmp_path, monkeypatch)
    run.look(3)
    assert run.screen.getvalue().splitlines() == [
        "approve: Ship to line 3? To answer: edgepipe approve run-1 approve (or reject)"
    ]
    leave_answer(tmp_path, "run-2", "approve", Decision(approved=True, comment="", by="ann"))
    run.look()
    assert run.told == []
    leave_answer(
        tmp_path, "run-1", "approve", Decision(approved=True, comment="checked on the line", by="ann")
    )
    run.look()
    assert run.told == [(True, "checked on the line")]


@pytest.mark.parametrize(
    ("typed", "told"),
    [(b"y\n", (True, "")), (b"\n", (False, "")), (b"no way\n", (False, "way")), (b"hm\n", (False, "hm"))],
)
def test_at_a_terminal_only_yes_is_yes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keyboard: tuple[TextIO, int],
    typed: bytes,
    told: tuple[bool, str],
) -> None:
    stream, writer = keyboard
    run = start(tmp_path, monkeypatch, stdin=stream)
    run.look(2)
    assert run.screen.getvalue() == "approve: Ship to line 3? [y/N] "
    assert run.approvals.terminal.asking
    os.write(writer, typed)
    os.close(writer)
    run.look()
    assert run.told == [told]
    assert not run.approvals.terminal.asking


def test_a_closed_input_says_neither_yes_nor_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyboard: tuple[TextIO, int]
) -> None:
    stream, writer = keyboard
    os.close(writer)
    run = start(tmp_path, monkeypatch, stdin=stream)
    run.look(2)
    assert run.told == []
    assert "To answer: edgepipe approve" in run.screen.getvalue()


def test_a_message_cannot_steer_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path, monkeypatch, message="ok?\x1b[2J\rno")
    run.look()
    assert "approve: ok? [2J no To answer" in run.screen.getvalue()


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (("ship", "sign"), "those that wait for an answer: ship, sign"),
        ((), "no step of it waits for one"),
    ],
)
def test_an_answer_to_a_step_that_asks_nobody_is_refused(steps: tuple[str, ...], told: str) -> None:
    with pytest.raises(ParameterError, match=f"no approve step 'shop' to answer; {told}"):
        check_answers({"shop": True}, steps)
