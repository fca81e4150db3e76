"""How the devices of a deployment fare: pure rules over what Greengrass reports about each.

Deployments are continuous: their own status says little, so every device is judged by its execution
(ListEffectiveDeployments). Greengrass calls a good end COMPLETED for a thing and SUCCEEDED for a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SUCCEEDED = frozenset({"COMPLETED", "SUCCEEDED"})
FAILED = frozenset({"FAILED", "TIMED_OUT", "CANCELED", "REJECTED", "REPLACED"})
WAITING = "QUEUED"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A deployment of ours on one of its targets, as ListDeployments gives it."""

    target: str
    deployment_id: str
    status: str
    is_latest: bool


@dataclass(frozen=True, kw_only=True)
class DeviceState:
    """One device's execution of a deployment; `reason` is Greengrass's, empty when it gave none.

    `since` is when it was last changed, in seconds since the epoch; 0 when the device has reported nothing.
    """

    status: str
    reason: str
    since: float = 0.0

    @property
    def ended(self) -> bool:
        """Say whether the execution is over."""
        return self.status in SUCCEEDED | FAILED


def judge_device(placement: Placement, execution: Mapping[str, Any] | None) -> DeviceState:
    """Return how a device stands, given its effective deployment of that id, or None when it reports none."""
    state = DeviceState(
        status=str(execution["coreDeviceExecutionStatus"]) if execution else WAITING,
        reason=_reason(execution or {}),
        since=_since(execution or {}),
    )
    if state.ended or (placement.is_latest and placement.status not in ("CANCELED", "FAILED")):
        return state
    if not placement.is_latest:
        return DeviceState(
            status="REPLACED", reason="another deployment replaced this one before the device took it"
        )
    return DeviceState(status="CANCELED", reason=f"the deployment is {placement.status}")


def worst(states: Iterable[DeviceState]) -> DeviceState:
    """Return what counts for a device that several targets reach: failed before waiting before good."""
    return min(states, key=lambda state: (state.status not in FAILED, state.status in SUCCEEDED))


def merge_components(
    current: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the components of the next deployment: all there are now, with ours put over them.

    A deployment replaces the target's former one and uninstalls what it leaves out (Greengrass guide, "Create
    deployments"), so leaving out a neighbour's component would remove it.
    """
    merged = {name: dict(component) for name, component in current.items()}
    for name, component in wanted.items():
        merged[name] = {**merged.get(name, {}), **component}
    return merged


def _reason(execution: Mapping[str, Any]) -> str:
    details = execution.get("statusDetails") or {}
    stack = " > ".join(details.get("errorStack") or [])
    return ": ".join(text for text in (stack, execution.get("reason") or "") if text)


def _since(execution: Mapping[str, Any]) -> float:
    changed = execution.get("modifiedTimestamp")
    return float(changed.timestamp()) if changed else 0.0
