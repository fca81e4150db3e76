"""Which candidate becomes the target's model, and why."""

from __future__ import annotations

from dataclasses import dataclass

PAYS_BELOW = 0.95
"""A quantised model must take less than this share of the other's time; a smaller gain may be noise."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One form of the model; accuracy 0 to 1 and latency in milliseconds, None where not measured."""

    name: str
    sha256: str
    bytes: int
    accuracy: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The chosen candidate's name and the reason in words."""

    name: str
    reason: str


def choose(plain: Candidate, quantized: Candidate, max_accuracy_loss: float) -> Choice:
    """Take the quantised model when it is measured to be faster and to lose no more than allowed."""
    if plain.accuracy is None or quantized.accuracy is None:
        return Choice(
            name=plain.name, reason="accuracy was not measured, so nothing speaks for a quantised model"
        )
    if plain.latency_ms is None or quantized.latency_ms is None:
        return Choice(
            name=plain.name, reason="latency was not measured, so nothing speaks for a quantised model"
        )
    loss = plain.accuracy - quantized.accuracy
    if loss > max_accuracy_loss:
        reason = f"{quantized.name} loses {loss:.4f} of accuracy; {max_accuracy_loss:g} is allowed"
        return Choice(name=plain.name, reason=reason)
    ratio = quantized.latency_ms / plain.latency_ms
    figures = (
        f"{quantized.name} takes {ratio:.2f} of the time of {plain.name} and loses {loss:.4f} of accuracy"
    )
    if ratio >= PAYS_BELOW:
        return Choice(name=plain.name, reason=f"{figures}: it does not pay below {PAYS_BELOW:g}")
    return Choice(name=quantized.name, reason=figures)
