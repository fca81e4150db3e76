"""The fleet of virtual devices: devices.yaml, which describes it, and what the store knows of each device.

devices.yaml is read once into frozen specifications; mistakes are shown at their place, as a pipeline's.
`read_devices` looks at what the local cloud kept, and starts nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local_cloud import store
from local_cloud.greengrass.faults import Fault
from local_cloud.greengrass.memory import DEVICES, EXECUTIONS
from local_cloud.greengrass.specs import DeviceSpec
from pipelines import schema, shape, source
from pipelines.configs import seconds
from pipelines.diagnostics import START, Diagnostic, SpecError
from pipelines.nodes import MappingNode, entries, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pipelines.nodes import ScalarNode

FILE_NAME = "devices.yaml"
MAX_DEVICES = 2000
_NAMES_HINT = f"Write NAME, NAME-{{1..40}}, or NAME with a count: {MAX_DEVICES} devices in all at most."
_RANGE = re.compile(r"\{(?P<first>[0-9]+)\.\.(?P<last>[0-9]+)\}")


@dataclass(frozen=True, kw_only=True)
class ComponentView:
    """A component on a device, as the device last reported it."""

    name: str
    version: str
    state: str
    detail: str
    is_root: bool
    log: Path


@dataclass(frozen=True, kw_only=True)
class DeploymentView:
    """What became of one deployment on a device."""

    id: str
    target: str
    status: str
    reason: str
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class DeviceView:
    """A virtual device, as it last reported; `deployments` begin with the latest."""

    thing: str
    account: str
    architecture: str
    status: str
    updated: datetime
    groups: tuple[str, ...]
    labels: Mapping[str, str]
    faults: tuple[str, ...]
    components: tuple[ComponentView, ...]
    deployments: tuple[DeploymentView, ...]
    logs: Path
    """The folder with greengrass.log and one log for each component, `<component>.log`."""


def read_fleet(path: Path) -> tuple[DeviceSpec, ...]:
    """Read devices.yaml; raises SpecError with every mistake, or OSError."""
    shown = str(path)
    return parse_fleet(source.decode(path.read_bytes(), path=shown), path=shown)


def parse_fleet(text: str, *, path: str) -> tuple[DeviceSpec, ...]:
    """Return the devices that a text describes, in its order; raises SpecError with every mistake."""
    text = source.normalise(text)
    root, problems = source.parse(text)
    if root is None:
        raise SpecError(problems, path=path, text=text)
    found = shape.check(root, schema.load("devices.schema.json"), "the fleet")
    problems = (*problems, *found.diagnostics)
    specs: list[DeviceSpec] = []
    if not problems:
        value: Any = found.value  # the schema says what it holds
        problems = tuple(_expand(entries(find(root, "devices")), value["devices"], specs))
    if problems:
        raise SpecError(problems, path=path, text=text)
    return tuple(specs)


def complete(specs: Iterable[DeviceSpec], targets: Iterable[str]) -> tuple[DeviceSpec, ...]:
    """Return the fleet with a device for each target (`thing/x`, `thinggroup/x`) that would meet none."""
    whole = {each.thing: each for each in specs}
    for target in targets:
        sort, name = target.split("/", 1)
        if sort == "thing":
            whole.setdefault(name, DeviceSpec(thing=name))
        elif not any(name in each.groups for each in whole.values()):
            thing = f"{name}-device-1"
            former = whole.get(thing, DeviceSpec(thing=thing))
            whole[thing] = replace(former, groups=(*former.groups, name))
    return tuple(whole.values())


def read_devices(state_dir: Path) -> tuple[DeviceView, ...]:
    """Return the devices that a state folder knows, by name; none where there is no store yet."""
    executions: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    with closing(store.Store(state_dir, write=False)) as kept:
        for _, document in kept.all(EXECUTIONS):
            executions[document["account"], document["thing"]].append(document)
        documents = [document for _, document in kept.all(DEVICES)]
    views = [_view(each, executions[each["account"], each["thing"]], state_dir) for each in documents]
    return tuple(sorted(views, key=lambda each: (each.account, each.thing)))


def _expand(
    nodes: Iterable[tuple[ScalarNode, Any]], values: Mapping[str, Any], specs: list[DeviceSpec]
) -> Iterator[Diagnostic]:
    """Add the devices of each entry to `specs` and yield what is wrong with the names."""
    first: dict[str, int] = {}
    for key, node in nodes:
        value = values[key.text] or {}
        names, problem = _names(key.text, value.get("count"))
        if problem or len(first) + len(names) > MAX_DEVICES:
            message = problem or f"a fleet has at most {MAX_DEVICES} devices"
            yield Diagnostic(code="D002", message=message, span=key.span, hint=_NAMES_HINT)
            continue
        for name in names:
            if name in first:
                message = f"there are two devices '{name}'; the other is of line {first[name]}"
                yield Diagnostic(code="D001", message=message, span=key.span, hint="Rename one of the two.")
                break
            first[name] = key.span.line
            specs.append(_spec(name, value))
        if isinstance(node, MappingNode) and (slow := find(node, "faults", "slow")) and not _slows(value):
            message, hint = (
                "'slow' says neither 'delay' nor 'factor'",
                "Write {delay: 2s}, {factor: 3} or both.",
            )
            yield Diagnostic(code="D003", message=message, span=slow.span if slow else START, hint=hint)


def _slows(value: Mapping[str, Any]) -> bool:
    return bool({"delay", "factor"} & set(value["faults"]["slow"] or {}))


def _names(text: str, count: int | None) -> tuple[list[str], str | None]:
    """Return the names that an entry stands for, or what is wrong with it."""
    found = _RANGE.search(text)
    if found is None:
        return ([text] if count is None else [f"{text}-{n}" for n in range(1, count + 1)]), None
    if count is not None:
        return [], f"'{text}' has both a range and a count"
    first, last = int(found["first"]), int(found["last"])
    if first > last or last - first >= MAX_DEVICES:
        return [], f"the range {found[0]} must go up, over at most {MAX_DEVICES} numbers"
    width = len(found["first"]) if found["first"].startswith("0") else 0
    numbers = (f"{number:0{width}d}" for number in range(first, last + 1))
    return [text.replace(found[0], number) for number in numbers], None


def _spec(name: str, value: Mapping[str, Any]) -> DeviceSpec:
    return DeviceSpec(
        thing=name,
        architecture=value.get("architecture"),
        groups=tuple(value.get("groups") or ()),
        attributes=value.get("attributes") or {},
        labels=value.get("labels") or {},
        faults=tuple(_fault(kind, each or {}) for kind, each in (value.get("faults") or {}).items()),
    )


def _fault(kind: str, value: Mapping[str, Any]) -> Fault:
    times = {"for": "lasts", "every": "every", "after": "after", "delay": "delay"}
    given: dict[str, Any] = {key: each for key, each in value.items() if key in ("factor", "times")}
    given |= {times[key]: float(seconds(text)) for key, text in value.items() if key in times}
    return Fault(kind=kind, components=tuple(value.get("components") or ()), **given)


def _view(
    document: Mapping[str, Any], executions: Iterable[Mapping[str, Any]], state_dir: Path
) -> DeviceView:
    thing = document["thing"]
    logs = state_dir / "devices" / thing / "logs"
    return DeviceView(
        thing=thing,
        account=document["account"],
        architecture=document["architecture"],
        status=document["status"],
        updated=datetime.fromisoformat(document["updated"]),
        groups=tuple(document["spec"]["groups"]),
        labels=document["spec"]["labels"],
        faults=tuple(each["kind"] for each in document["spec"]["faults"]),
        components=tuple(_component_view(each, logs) for each in document["components"]),
        deployments=tuple(_deployment_view(each) for each in sorted(executions, key=_number, reverse=True)),
        logs=logs,
    )


def _number(execution: Mapping[str, Any]) -> int:
    return int(execution["number"])


def _component_view(document: Mapping[str, Any], logs: Path) -> ComponentView:
    return ComponentView(
        name=document["name"],
        version=document["version"],
        state=document["state"],
        detail=document["detail"],
        is_root=document["is_root"],
        log=logs / f"{document['name']}.log",
    )


def _deployment_view(document: Mapping[str, Any]) -> DeploymentView:
    return DeploymentView(
        id=document["order"]["deployment_id"],
        target=document["order"]["target"],
        status=document["status"],
        reason=document["reason"],
        modified=datetime.fromisoformat(document["modified"]),
    )
