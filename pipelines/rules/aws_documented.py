"""P073: what AWS's documentation limits and its models do not is kept too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.aws.documented import LABELING_SECONDS, S3_KEY_BYTES, VERSION_NUMBER
from pipelines.diagnostics import Diagnostic
from pipelines.nodes import ScalarNode
from pipelines.references import OPENING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P073"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield versions with too great numbers, addresses with too long keys, and too long labeling jobs."""
    for step in subject.pipeline.steps:
        if step.kind and step.kind.name == "publish":
            yield from _check_version(step)
        if step.kind and step.kind.name == "label":
            yield from _check_address(step)
            yield from _check_labeling(step)


def _check_version(step: Step) -> Iterator[Diagnostic]:
    node, version = step.find("version"), step.config.get("version")
    numbers = [part for part in str(version).split(".") if part.isdecimal()]
    if node and any(len(part) > len(str(VERSION_NUMBER.most)) for part in numbers):
        message = f"Greengrass takes numbers up to {VERSION_NUMBER.most:,} in a version"
        hint = "Raise the number before it instead, such as 1.1.0 after 1.0.999999."
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _check_address(step: Step) -> Iterator[Diagnostic]:
    node, address = step.find("dataset"), step.config.get("dataset")
    if not isinstance(node, ScalarNode) or not isinstance(address, str) or OPENING in address:
        return
    size = len(address.removeprefix("s3://").partition("/")[2].encode("utf-8"))
    if size > S3_KEY_BYTES.most:
        message = f"the key in this address has {size:,} bytes; S3 takes {S3_KEY_BYTES.most:,}"
        yield Diagnostic(code=CODE, message=message, span=node.span, hint="Name a folder nearer to the top.")


def _check_labeling(step: Step) -> Iterator[Diagnostic]:
    node = step.find("timeout")
    by_people = step.config.get("method") == "ground-truth"
    if node and by_people and step.timeout_seconds > LABELING_SECONDS.most:
        message = f"a labeling job's tasks end after {LABELING_SECONDS.most // 86_400} days"
        hint = "Shorten the timeout, and label what is left in another run."
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)
