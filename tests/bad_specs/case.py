"""What a case is made of: a good spec, an edit that breaks it, and what must be said about it."""

from __future__ import annotations

from dataclasses import dataclass

GOOD = """\
version: 1
name: cookies
usecase: cookie-factory
params:
  dataset: {type: s3uri, default: "s3://${{ usecase.data_bucket }}/cookies/"}
  epochs: {type: integer, default: 30, minimum: 1}
steps:
  label:
    method: folders
    dataset: ${{ params.dataset }}
    labels: [normal, anomaly]
  transform:
    split: {train: 0.65, validation: 0.15, test: 0.2, by: hash}
    require: {min_images: 40, min_per_class: 10}
  train:
    script: train.py
    framework: {name: sklearn, version: "1.4-2"}
    instance: ml.m5.xlarge
    hyperparameters: {epochs: "${{ params.epochs }}"}
    gate: {recall: ">= 0.9"}
  compile:
    targets: [x86_64-cpu, arm64-cpu]
  package: {layout: triton}
  publish: {component: com.example.cookies}
  deploy:
    targets: [thing/station-1]
    components: {local_server: {port: 0}}
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A bad spec; `expected` holds `CODE LINE:COLUMN` of every mistake, in the order of the text."""

    name: str
    text: str | bytes
    expected: tuple[str, ...]


def text(name: str, whole: str | bytes, *expected: str) -> Case:
    """Return a case that is no edit of the good spec."""
    return Case(name=name, text=whole, expected=expected)


def edit(name: str, old: str, new: str, *expected: str) -> Case:
    """Return the case of the good spec with one part replaced. Raises ValueError where it lacks that part."""
    if old not in GOOD:
        message = f"{name}: the good spec has no {old!r}"
        raise ValueError(message)
    return Case(name=name, text=GOOD.replace(old, new, 1), expected=expected)


def add(name: str, steps: str, *expected: str) -> Case:
    """Return the case of the good spec with lines added after its last."""
    return Case(name=name, text=GOOD + steps, expected=expected)
