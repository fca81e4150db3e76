"""From a step's config as the author wrote it to the config its handler gets."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.values import JsonObject

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a config may take over from around its step."""

    pipeline: str
    job_seconds: int
    """The longest that a job of the step may run, where the step does not say."""
    topic: str = ""
    """Who is told when an approval begins to wait; nobody, where it is empty."""


Configure = Callable[[Mapping[str, Any], Origin], JsonObject]

DEVICE_COMPONENTS = {
    "local_server": "com.edgepipe.LocalServer",
    "inference_uploader": "com.edgepipe.InferenceUploader",
}
"""The platform's own Greengrass components: short name in a spec → full name."""

SERVER_REQUIREMENT = {"com.edgepipe.LocalServer": ">=0.1.0 <1.0.0"}
"""What a published model needs on its device, as a Greengrass version requirement."""


def seconds(duration: str) -> int:
    """Return a duration such as 30m in seconds."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def write_seconds(whole: int) -> str:
    """Write a time as a spec does, in the largest unit that it is whole in."""
    unit, size = next(each for each in reversed(_UNITS.items()) if whole % each[1] == 0)
    return f"{whole // size}{unit}"


def as_written(config: Mapping[str, Any], _origin: Origin) -> JsonObject:
    """Pass the config on unchanged."""
    return config


def train(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    """Name the script inside its archive, and turn the gate and the time limit into numbers."""
    gate = [_condition(metric, text) for metric, text in config["gate"].items()]
    script = {"script": posixpath.basename(config["script"])} if "script" in config else {}
    return _limited({**config, **script, "gate": gate}, origin)


def compiling(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    """Turn the time limit into seconds; the targets and how many of them must do concern the fan-out only."""
    own = {key: value for key, value in config.items() if key not in ("targets", "require")}
    return _limited(own, origin)


def package(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    """Name the model after the pipeline."""
    return {**config, "model": origin.pipeline}


def publish(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    """Add the model's name and what its component depends on."""
    return {**config, "model": origin.pipeline, "dependencies": SERVER_REQUIREMENT}


def deploy(config: Mapping[str, Any], _origin: Origin) -> JsonObject:
    """Write components under their full names; a key with a dot is one already."""
    named = {DEVICE_COMPONENTS.get(name, name): value for name, value in config["components"].items()}
    return {**{key: value for key, value in config.items() if key != "waves"}, "components": named}


def wave(stage: Mapping[str, Any]) -> JsonObject:
    """Turn one of a deployment's waves into numbers; what it does not ask for is left out."""
    rate, abort = stage.get("rate"), stage.get("abort_if")
    return {
        "name": stage["name"],
        "targets": stage["targets"],
        **({"bake_seconds": seconds(stage["bake"])} if "bake" in stage else {}),
        **({"verify": stage["verify"]} if stage.get("verify") else {}),
        **({"rate_per_minute": int(rate.removesuffix("/min"))} if rate else {}),
        **({"abort_percent": int(abort.partition("%")[0])} if abort else {}),
    }


def approve(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    """Add whom to tell that the run waits."""
    return {**config, **({"topic": origin.topic} if origin.topic else {})}


def custom(config: Mapping[str, Any], _origin: Origin) -> JsonObject:
    """Pass on what the author wrote under `config`, and nothing else."""
    found: JsonObject = config["config"]
    return found


BACKOFF = 2
"""Step Functions' own rate, which need not be written."""


def retrier(rule: Mapping[str, Any]) -> JsonObject:
    """Return a `retry:` as Step Functions has it."""
    return {
        "ErrorEquals": list(rule["on"]),
        "IntervalSeconds": seconds(rule["interval"]),
        **({"BackoffRate": rule["backoff"]} if rule["backoff"] != BACKOFF else {}),
        "MaxAttempts": rule["attempts"],
        "JitterStrategy": "FULL",
    }


def _condition(metric: str, text: str) -> dict[str, Any]:
    op = text.rstrip("0123456789.-").rstrip()
    return {"metric": metric, "op": op, "threshold": float(text[len(op) :])}


def _limited(config: Mapping[str, Any], origin: Origin) -> JsonObject:
    own = config.get("max_runtime")
    kept = {key: value for key, value in config.items() if key != "max_runtime"}
    return {**kept, "max_runtime_seconds": seconds(own) if own else origin.job_seconds}
