"""One short fact about each step, for people who look at the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.spec import Step


def fact(step: Step) -> str:
    """Return what is most worth knowing of a step, in a few words; empty where there is nothing."""
    tell = _FACTS.get(step.known_kind.name)
    return tell(step.config) if tell else ""


def _label(config: Mapping[str, Any]) -> str:
    return f"{config['method']}: {', '.join(config['labels'])}"


def _transform(config: Mapping[str, Any]) -> str:
    split = config["split"]
    shares = [split["train"], split["validation"], split["test"]]
    return f"split {' / '.join(f'{share * 100:g}' for share in shares)}"


def _train(config: Mapping[str, Any]) -> str:
    gate = ", ".join(f"{metric} {text}" for metric, text in config["gate"].items())
    if gate:
        return gate
    if "script" not in config:
        return str(config.get("algorithm") or config.get("image")).rpartition("/")[2]
    return f"{config['framework']['name']} {config['framework']['version']}"


def _compile(config: Mapping[str, Any]) -> str:
    return f"{config['backend']}, require {config['require']}"


def _package(config: Mapping[str, Any]) -> str:
    return str(config["layout"])


def _publish(config: Mapping[str, Any]) -> str:
    return f"{config['component']} {config['version']}"


def _deploy(config: Mapping[str, Any]) -> str:
    return f"on failure: {config['on_failure']}"


def _serve(config: Mapping[str, Any]) -> str:
    return f"{config['instances']} x {config['instance']}"


def _approve(config: Mapping[str, Any]) -> str:
    return str(config["message"])


def _custom(config: Mapping[str, Any]) -> str:
    return str(config["handler"])


_FACTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "label": _label,
    "transform": _transform,
    "train": _train,
    "compile": _compile,
    "package": _package,
    "publish": _publish,
    "deploy": _deploy,
    "serve": _serve,
    "approve": _approve,
    "custom": _custom,
}
