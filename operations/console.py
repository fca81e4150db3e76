"""Addresses of AWS's web console."""

from __future__ import annotations


def machine_url(arn: str) -> str:
    """Return the page of a state machine."""
    from tasks import notices

    return f"{notices.states_page(arn)}/statemachines/view/{arn}"


def run_url(arn: str) -> str:
    """Return the page of an execution."""
    from tasks import notices

    return notices.run_url(arn)
