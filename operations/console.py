"""Addresses of AWS's web console (docs.aws.amazon.com/awsconsolehelpdocs: one host for each partition)."""

from __future__ import annotations

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def machine_url(arn: str) -> str:
    """Return the page of a state machine."""
    return f"{_states(arn)}/statemachines/view/{arn}"


def run_url(arn: str) -> str:
    """Return the page of an execution."""
    return f"{_states(arn)}/v2/executions/details/{arn}"


def _states(arn: str) -> str:
    _, partition, _, region, *_ = arn.split(":")
    return f"https://{region}.{_HOSTS.get(partition, _HOSTS['aws'])}/states/home?region={region}#"
