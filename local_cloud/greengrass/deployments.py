"""The deployments of one account and region: what was asked, and which one counts for its target."""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .errors import RecipeError
from .fields import check_mapping
from .planning import Order, WantedComponent
from .refusals import InvalidError, NotFoundError, not_emulated
from .rollout import Pace, parse_pace
from .versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLLBACK = "ROLLBACK"
_MAX_MERGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One revision of what a target shall run; what the API shows of it is as it was given."""

    order: Order
    revision: int
    name: str
    components: Mapping[str, Any]
    policies: Mapping[str, Any]
    job_configuration: Mapping[str, Any]
    pace: Pace
    created: datetime
    status: str = "ACTIVE"

    @property
    def identifier(self) -> str:
        """The deployment's id."""
        return self.order.deployment_id

    @property
    def target(self) -> str:
        """The ARN of the thing or thing group."""
        return self.order.target


class DeploymentBook:
    """All deployments in the order of their creation; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._deployments: dict[str, Deployment] = {}

    def add(self, request: Mapping[str, Any]) -> Deployment:
        """Record the deployment of a CreateDeployment request; the target's earlier one becomes INACTIVE."""
        with self._lock:
            earlier = [each for each in self.all() if each.target == request["targetArn"]]
            deployment = parse_deployment(request, identifier=str(uuid.uuid4()), revision=len(earlier) + 1)
            for replaced in earlier:
                if replaced.status != "CANCELED":
                    self.set_status(replaced.identifier, "INACTIVE")
            self._deployments[deployment.identifier] = deployment
            return deployment

    def find(self, identifier: str) -> Deployment:
        """Return a deployment; raises NotFoundError."""
        with self._lock:
            if identifier not in self._deployments:
                raise NotFoundError(identifier, "deployment")
            return self._deployments[identifier]

    def all(self) -> list[Deployment]:
        """Return all deployments, the latest first."""
        with self._lock:
            return list(reversed(self._deployments.values()))

    def is_latest(self, deployment: Deployment) -> bool:
        """Tell whether no later deployment has the same target."""
        latest = next(each for each in self.all() if each.target == deployment.target)
        return latest.identifier == deployment.identifier

    def set_status(self, identifier: str, status: str) -> None:
        """Change a deployment's status."""
        with self._lock:
            changed = dataclasses.replace(self._deployments[identifier], status=status)
            self._deployments[identifier] = changed

    def close_active(self, identifier: str, status: str) -> None:
        """Change the status of a deployment that nothing has replaced or canceled."""
        with self._lock:
            if self._deployments[identifier].status == "ACTIVE":
                self.set_status(identifier, status)


def parse_deployment(request: Mapping[str, Any], *, identifier: str, revision: int) -> Deployment:
    """Read a CreateDeployment request; raises InvalidError for what is wrong or not emulated."""
    if request.get("parentTargetArn"):
        msg = "parentTargetArn"
        raise not_emulated(msg, "leave it out")
    job_configuration = request.get("iotJobConfiguration") or {}
    components = request.get("components") or {}
    policies = _parse_policies(request.get("deploymentPolicies") or {})
    order = Order(
        deployment_id=identifier,
        target=request["targetArn"],
        components={name: _parse_component(name, each) for name, each in components.items()},
        rolls_back=policies["failureHandlingPolicy"] == ROLLBACK,
    )
    return Deployment(
        order=order,
        revision=revision,
        name=request.get("deploymentName") or "",
        components=components,
        policies=policies,
        job_configuration=job_configuration,
        pace=parse_pace(job_configuration, request["targetArn"]),
        created=datetime.now(UTC),
    )


def _parse_policies(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in AWS's defaults. On our devices nothing listens to notices or validates configurations."""
    policies: dict[str, Any] = {
        "failureHandlingPolicy": given.get("failureHandlingPolicy") or ROLLBACK,
        "componentUpdatePolicy": {
            "timeoutInSeconds": 60,
            "action": "NOTIFY_COMPONENTS",
            **(given.get("componentUpdatePolicy") or {}),
        },
        "configurationValidationPolicy": {
            "timeoutInSeconds": 30,
            **(given.get("configurationValidationPolicy") or {}),
        },
    }
    _check_choice("failureHandlingPolicy", policies["failureHandlingPolicy"], (ROLLBACK, "DO_NOTHING"))
    action = policies["componentUpdatePolicy"]["action"]
    _check_choice("componentUpdatePolicy.action", action, ("NOTIFY_COMPONENTS", "SKIP_NOTIFY_COMPONENTS"))
    return policies


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        message = f"deploymentPolicies.{field} must be one of {', '.join(choices)}, not {value!r}"
        raise InvalidError(message)


def _parse_component(name: str, document: Mapping[str, Any]) -> WantedComponent:
    if document.get("runWith"):
        msg = f"components.{name}.runWith"
        raise not_emulated(msg, "leave it out; scripts run as the local user")
    update = document.get("configurationUpdate") or {}
    return WantedComponent(
        version=_parse_version(name, document.get("componentVersion") or ""),
        reset=tuple(_parse_pointer(name, pointer) for pointer in update.get("reset") or []),
        merge=_parse_merge(name, update.get("merge") or "{}"),
    )


def _parse_version(name: str, text: str) -> str:
    try:
        parse_version(text)
    except ValueError as error:
        message = f"components.{name}.componentVersion: {error}"
        raise InvalidError(message) from error
    return text


def _parse_pointer(name: str, pointer: str) -> str:
    if pointer and not pointer.startswith("/"):
        message = f"components.{name}.configurationUpdate.reset: {pointer!r} is no JSON pointer such as /port"
        raise InvalidError(message)
    return pointer


def _parse_merge(name: str, text: str) -> dict[str, Any]:
    where = f"components.{name}.configurationUpdate.merge"
    if len(text.encode()) > _MAX_MERGE_BYTES:
        message = f"{where}: must be at most {_MAX_MERGE_BYTES} bytes"
        raise InvalidError(message)
    try:
        return check_mapping(json.loads(text), where)
    except (RecipeError, ValueError, RecursionError) as error:
        message = f"{where}: must be the text of a JSON object: {error}"
        raise InvalidError(message) from error
