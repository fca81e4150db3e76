"""What a virtual device shall be: its thing, processor, groups and labels, and what goes wrong on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .faults import Fault, read_fault

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class DeviceSpec:
    """One virtual core device; without architecture it has this machine's."""

    thing: str
    architecture: str | None = None
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the specification as plain JSON."""
        return {
            "thing": self.thing,
            "architecture": self.architecture,
            "groups": list(self.groups),
            "attributes": dict(self.attributes),
            "labels": dict(self.labels),
            "faults": [each.document() for each in self.faults],
        }


def read_spec(document: Mapping[str, Any]) -> DeviceSpec:
    """Return the specification of what `document` gave."""
    faults = tuple(read_fault(each) for each in document["faults"])
    return DeviceSpec(**{**document, "groups": tuple(document["groups"]), "faults": faults})
