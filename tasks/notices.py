"""What people are told about a run, in words: never a task token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.protocol import Job

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_LONGEST_SUBJECT = 99
"""SNS: a subject has fewer than 100 characters, all ASCII (docs.aws.amazon.com/sns, Publish)."""


def subject(job: Job) -> str:
    """Return the line that a mail about an approval has as its subject."""
    return f"{job.run.pipeline}: step {job.step} waits for an answer"[:_LONGEST_SUBJECT]


def waiting(job: Job) -> str:
    """Say that a run waits for a person, what is asked, and how to answer."""
    until = datetime.fromtimestamp(job.deadline, UTC)
    head = f"Run {job.run.id} of pipeline {job.run.pipeline} waits for an answer to step '{job.step}'"
    return "\n".join(
        (
            f"{head}, until {until:%Y-%m-%d %H:%M} UTC:",
            "",
            f"  {job.context['message']}",
            "",
            f"yes:  edgepipe approve {job.run.arn} {job.step}",
            f"no:   edgepipe reject {job.run.arn} {job.step}",
            f"look: {run_url(job.run.arn)}",
        )
    )


def run_url(arn: str) -> str:
    """Return the page of an execution in AWS's web console."""
    return f"{states_page(arn)}/v2/executions/details/{arn}"


def states_page(arn: str) -> str:
    """Return Step Functions' page (docs.aws.amazon.com/awsconsolehelpdocs: one host for each partition)."""
    _, partition, _, region, *_ = arn.split(":")
    return f"https://{region}.{_HOSTS.get(partition, _HOSTS['aws'])}/states/home?region={region}#"
