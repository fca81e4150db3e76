"""What the language knows and nothing carries out yet: such a spec is valid, and a run of it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.kinds import PER_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.spec import Pipeline, Step

KINDS = {
    "serve": "nothing serves models at an endpoint yet",
}
"""Kind → why no step of it can be carried out."""

VALUES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "label": {"method": frozenset({"folders", "ground-truth", "manifest"})},
    "transform": {"format": frozenset({"defect"})},
    "compile": {"backend": frozenset({"onnxruntime"}), "targets": frozenset({"x86_64-cpu", "arm64-cpu"})},
    "package": {"layout": frozenset({"triton"})},
}
"""Kind → key → the values that its handler knows."""

KEYS: Mapping[str, frozenset[str]] = {
    "label": frozenset({"task"}),
    "train": frozenset({"algorithm", "image", "spot"}),
}
"""Kind → the keys that its handler does not know."""

_COMPONENTS = frozenset({"local_server"})

NEEDED_FACTS: Mapping[str, tuple[str, ...]] = {
    "labels": ("labels", "attribute", "root"),
    "manifest": ("labels", "splits"),
    "model": ("labels",),
    "compiled_model": ("labels",),
    "package": ("size", "model"),
    "component": ("name", "version"),
}
"""Artifact type → the facts without which the steps that take it cannot do their work."""


def find_unavailable(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield (step, reason) for everything that a run would come to and could not do."""
    for step in pipeline.steps:
        for reason in _reasons(step):
            yield step.id.value, reason


def _reasons(step: Step) -> Iterator[str]:
    kind = step.known_kind.name
    if kind in KINDS:
        yield KINDS[kind]
    for key, known in VALUES.get(kind, {}).items():
        yield from (
            f"{key} {value} is not carried out yet" for value in _listed(step, key) if value not in known
        )
    unknown = sorted(KEYS.get(kind, frozenset()) & {key for key, value in step.config.items() if value})
    yield from (f"{key} is not carried out yet" for key in unknown if _matters(step, key))
    if kind == "deploy":
        own = [name for name in step.config["components"] if "." not in name and name not in _COMPONENTS]
        yield from (f"there is no component {name} yet" for name in own)
    for taken, given in step.given.items():
        yield from _missing_facts(taken, given)


def _matters(step: Step, key: str) -> bool:
    return (key, step.config[key]) != ("task", "classification")


def _listed(step: Step, key: str) -> list[str]:
    value = step.config.get(key)
    return value if isinstance(value, list) else [str(value)]


def _missing_facts(taken: str, given: Any) -> Iterator[str]:  # noqa: ANN401 - an address, or an object
    each = given["targets"].values() if taken in PER_TARGET and "targets" in given else [given]
    for one in each:
        facts = one.get("facts", {}) if isinstance(one, dict) else {}
        missing = [name for name in NEEDED_FACTS.get(taken, ()) if name not in facts]
        if missing:
            yield (
                f"the {taken} from outside lacks the facts {', '.join(missing)}: "
                f"write inputs: {{{taken}: {{uri: ..., facts: {{...}}}}}} with those of the run that made it"
            )
            return
