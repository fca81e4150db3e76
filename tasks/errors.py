"""The errors a task may raise: the class name is the error Step Functions sees, so the names are a protocol.

    TaskError
    ├─ TaskInputError     the spec, the data or a right is wrong; never retried
    ├─ TransientError     throttling, network, a service's own fault; retried soon, with jitter
    ├─ CapacityError      a quota or no machine free; retried for hours, slowly
    ├─ JobFailedError     a job ran and failed; retried only if the step says so
    ├─ QualityGateError   a model did not reach the figures its gate asks for
    ├─ RejectedError      a person said no
    └─ RolloutError       a device failed or refused a deployment

Messages say what, where and how to fix it, and end with the log's address.
"""

from __future__ import annotations


class TaskError(Exception):
    """What every task raises; only its sub-classes are raised."""


class TaskInputError(TaskError):
    """The step cannot succeed with this input: nothing is gained by a retry."""


class TransientError(TaskError):
    """The same call may succeed in a moment."""


class CapacityError(TaskError):
    """A quota is used up or no machine is free: the same call may succeed in hours."""


class JobFailedError(TaskError):
    """A job was started, ran and failed."""


class QualityGateError(TaskError):
    """A trained model misses a figure that its gate asks for."""


class RejectedError(TaskError):
    """A person turned the result down."""


class RolloutError(TaskError):
    """A device failed, refused or was never reached by a deployment."""


ERRORS: tuple[type[TaskError], ...] = (
    TaskInputError,
    TransientError,
    CapacityError,
    JobFailedError,
    QualityGateError,
    RejectedError,
    RolloutError,
)


def with_log(message: str, address: str) -> str:
    """Return `message` ending with the log's address, once."""
    if not address or "log: " in message.rsplit("\n", 1)[-1]:
        return message
    return f"{message.rstrip()} (log: {address})"
