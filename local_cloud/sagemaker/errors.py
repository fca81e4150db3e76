"""Why a job did not complete, in SageMaker's words: the first word says whose fault it was."""

from __future__ import annotations

MAX_REASON = 1024
"""The longest FailureReason (SageMaker API reference, DescribeTrainingJob)."""


class RefusedRequestError(ValueError):
    """A request that the local cloud cannot carry out faithfully; SageMaker's ValidationException."""


class JobFailedError(Exception):
    """A job ends as Failed; the message becomes its FailureReason, `exit_message` its ExitMessage."""

    def __init__(self, fault: str, message: str, exit_message: str = "") -> None:
        super().__init__(f"{fault}: {message}"[:MAX_REASON])
        self.exit_message = exit_message

    @property
    def fields(self) -> dict[str, object]:
        """What the job's description says about it."""
        reason = {"FailureReason": str(self)}
        return {**reason, "ExitMessage": self.exit_message} if self.exit_message else {**reason}


def client_error(message: str) -> JobFailedError:
    """Return the failure of a job whose request or data is wrong."""
    return JobFailedError("ClientError", message)


def algorithm_error(message: str, exit_message: str = "") -> JobFailedError:
    """Return the failure of a job whose program is at fault."""
    return JobFailedError("AlgorithmError", message, exit_message)
