"""Says in a few words what each kind of step produced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Outputs = Mapping[str, Any]


def describe(kind: str, outputs: Outputs) -> str:
    """Return one short line about a step's output object; an unknown kind's line names its outputs.

    So does that of an output without the facts that the line tells, as another version's handler may give.
    """
    try:
        return LINES.get(kind, _names)(outputs)
    except (LookupError, TypeError, AttributeError, StopIteration):
        return _names(outputs)


def size(count: float) -> str:
    """Return a number of bytes as people read it: 137 kB, 4.2 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def gate(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the gate's figures: `recall 0.98 >= 0.9, accuracy 0.97 >= 0.9`."""
    return ", ".join(
        f"{row['metric']} {row['value']:.3f} {row['op']} {row['threshold']:g}" for row in figures
    )


def _names(outputs: Outputs) -> str:
    return ", ".join(outputs)


def _label(outputs: Outputs) -> str:
    facts = outputs["labels"]["facts"]
    return f"{facts['count']} images labelled {', '.join(facts['labels'])}"


def _transform(outputs: Outputs) -> str:
    splits = outputs["manifest"]["facts"]["splits"]
    return ", ".join(f"{name} {split['count']}" for name, split in splits.items())


def _train(outputs: Outputs) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in outputs["metrics"].items())


def _compile(outputs: Outputs) -> str:
    made = [
        f"{target} {_chosen(artifact['facts'])}" for target, artifact in outputs["compiled_model"].items()
    ]
    failed = [f"{target} failed" for target in outputs.get("failed", {})]
    return ", ".join(made + failed)


def _chosen(facts: Mapping[str, Any]) -> str:
    candidate = next(row for row in facts["candidates"] if row["name"] == facts["chosen"])
    latency = candidate.get("latency_ms")
    return f"{facts['chosen']} {size(candidate['bytes'])}" + (f" {latency:.2f} ms" if latency else "")


def _package(outputs: Outputs) -> str:
    return ", ".join(f"{target} {size(a['facts']['size'])}" for target, a in outputs["package"].items())


def _publish(outputs: Outputs) -> str:
    facts = outputs["component"]["facts"]
    return f"{facts['name']} {facts['version']}"


def _deploy(outputs: Outputs) -> str:
    devices = outputs["deployment"]["facts"]["devices"]
    return ", ".join(f"{thing} {device['status']}" for thing, device in devices.items())


def _approve(outputs: Outputs) -> str:
    said = outputs["approval"]
    return f"by {said['by']}" + (f": {said['comment']}" if said["comment"] else "")


LINES: dict[str, Callable[[Outputs], str]] = {
    "label": _label,
    "transform": _transform,
    "train": _train,
    "compile": _compile,
    "package": _package,
    "publish": _publish,
    "deploy": _deploy,
    "approve": _approve,
}
