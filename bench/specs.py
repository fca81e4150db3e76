"""Specs of any length, to see how the compiler's time grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
version: 1
name: many-steps
usecase: cookie-factory
steps:
  label: {method: folders, dataset: "s3://bucket/datasets/", labels: [normal, anomaly]}
"""


def many_steps(count: int) -> str:
    """Return a spec of one label step and, behind it, transform steps, every tenth of them with a train step.

    Step Functions takes 1 MiB, so that 1,000 steps have 1,048 bytes each: a thousand train steps do not fit.
    """
    return _HEAD + "".join(_step(number) for number in range(1, count))


def _step(number: int) -> str:
    if number % 10:
        return f"  split-{number}: {{uses: transform, inputs: {{labels: label}}}}\n"
    return "".join(_train(number))


def _train(number: int) -> Iterator[str]:
    yield f"  train-{number}:\n"
    yield "    uses: train\n"
    yield "    script: train.py\n"
    yield '    framework: {name: sklearn, version: "1.4-2"}\n'
    yield f"    hyperparameters: {{epochs: {number}}}\n"
    yield f"    inputs: {{manifest: split-{number - 1}}}\n"
