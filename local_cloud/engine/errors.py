"""How a state ends badly: failures that definitions can catch, and ends that they cannot."""

from __future__ import annotations

MAX_ERROR, MAX_CAUSE = 256, 32_768
"""Lengths that Step Functions accepts (API_SendTaskFailure); longer texts are cut."""

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
RUNTIME = "States.Runtime"
DATA_LIMIT = "States.DataLimitExceeded"
QUERY = "States.QueryEvaluationError"
NO_CHOICE = "States.NoChoiceMatched"
PERMISSIONS = "States.Permissions"


class Failure(Exception):  # noqa: N818 - the States Language's word
    """An ASL error: what `Retry` and `Catch` see, and what a failed execution reports."""

    def __init__(self, error: str | None, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error = error[:MAX_ERROR] if error is not None else None
        self.cause = cause[:MAX_CAUSE] if cause is not None else None

    def output(self) -> dict[str, str]:
        """Return `$states.errorOutput`."""
        return {"Error": self.error or "", "Cause": self.cause or ""}


class Cancelled(Exception):  # noqa: N818 - an end, not an error: nothing catches it on its way out
    """The execution was stopped, or a sibling branch failed: this thread has nothing more to do."""


class Suspended(Cancelled):
    """The engine is closing: the execution goes on when it is resumed, and so do its children."""


class Expired(Exception):  # noqa: N818 - as above
    """The state machine's own TimeoutSeconds has passed; no Catch sees it."""


class InvalidDefinitionError(ValueError):
    """A definition that this engine cannot run faithfully; `problems` names each state and field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
