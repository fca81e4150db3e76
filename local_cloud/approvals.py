"""Answers the approvals that a local run waits for: by flags, by a request, or by asking at the terminal."""

from __future__ import annotations

import getpass
import importlib
import select
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from pipelines.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local_cloud.progress import Terminal
    from local_cloud.requests import Requests

YES, NO = frozenset({"y", "yes", "approve"}), frozenset({"n", "no", "reject"})


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Yes or no, and what was said with it."""

    approved: bool
    comment: str
    by: str


@dataclass(kw_only=True)
class Approvals:
    """Whom a run may ask: `answers` were given before it began, by step; without `stdin` nobody is there.

    `requests` holds what people answered from other terminals.
    """

    how: str
    """The command that answers, but for the step's name."""
    answers: Mapping[str, bool]
    requests: Requests
    terminal: Terminal
    stdin: TextIO | None
    _asked: set[str] = field(default_factory=set)

    def answer_beforehand(self, run_arn: str) -> None:
        """Answer what the run waits for and was answered before it began; asks nobody."""
        if not self.answers:
            return
        approval: Any = importlib.import_module("tasks.approval")
        for each in approval.open_approvals(run_arn):
            if each.step in self.answers:
                approval.answer(run_arn, each.step, **vars(self._given(each.step)))

    def look(self, run_arn: str) -> None:
        """Answer what the run waits for and somebody has decided; returns at once."""
        approval: Any = importlib.import_module("tasks.approval")
        waiting = approval.open_approvals(run_arn)
        for each in waiting:
            decision = self._decide(each.step, _printable(each.message))
            if decision is not None:
                approval.answer(run_arn, each.step, **vars(decision))
        if not waiting:
            self.terminal.asking = False

    def _decide(self, step: str, message: str) -> Decision | None:
        if step in self.answers:
            return self._given(step)
        if decision := self.requests.answer(step):
            return decision
        if self.stdin is None:
            self._say_once(step, f"{step}: {message} To answer: {self.how} {step} (or reject)")
            return None
        return self._ask(step, message, self.stdin)

    def _given(self, step: str) -> Decision:
        approved = self.answers[step]
        flag = f"--{'approve' if approved else 'reject'} {step}"
        return Decision(approved=approved, comment=flag, by=user_name())

    def _ask(self, step: str, message: str, stdin: TextIO) -> Decision | None:
        if step not in self._asked:
            self._asked.add(step)
            self.terminal.ask(f"{step}: {message} [y/N] ")
        if not select.select([stdin], [], [], 0)[0]:
            return None
        line = stdin.readline()
        self.terminal.asking = False
        if not line:
            # Nobody is there any more: the input has been closed.
            self.stdin = None
            self._asked.discard(step)
            return None
        return read_decision(line) or Decision(approved=False, comment=line.strip(), by=user_name())

    def _say_once(self, step: str, text: str) -> None:
        if step not in self._asked:
            self._asked.add(step)
            self.terminal.print(text)


def check_answers(answers: Mapping[str, bool], steps: Sequence[str]) -> None:
    """Raise ParameterError for an answer to a step that asks nobody."""
    unknown = [step for step in answers if step not in steps]
    if unknown:
        asking = (
            f"those that wait for an answer: {', '.join(steps)}" if steps else "no step of it waits for one"
        )
        message = f"the pipeline has no approve step '{unknown[0]}' to answer; {asking}"
        raise ParameterError(message)


def read_decision(text: str) -> Decision | None:
    """Return what a line says: yes or no, then a comment; None for anything else."""
    word, _, comment = text.strip().partition(" ")
    if word.lower() not in YES | NO:
        return None
    return Decision(approved=word.lower() in YES, comment=comment.strip(), by=user_name())


def _printable(text: str) -> str:
    """Return a message with nothing in it that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def user_name() -> str:
    """Return who runs this, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a container with a number for one
        return "somebody at this machine"
