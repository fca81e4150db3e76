"""The deployments of one account and region: what was asked, and which one counts for its target."""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import RecipeError
from .fields import check_mapping
from .memory import DEPLOYMENTS, moment
from .planning import Order, WantedComponent
from .refusals import ConflictError, InvalidError, NotFoundError, check_choice, not_emulated
from .rollout import Pace, parse_pace
from .versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from .memory import Memory

ROLLBACK = "ROLLBACK"
TOKEN_SECONDS = 8 * 3600.0
"""For how long AWS answers a repeated client token with the first answer."""
_MAX_MERGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One revision of what a target shall run; what the API shows of it is as it was given."""

    order: Order
    revision: int
    request: Mapping[str, Any]
    policies: Mapping[str, Any]
    pace: Pace
    created: datetime
    number: int
    """Counts the deployments of an account."""
    status: str = "ACTIVE"

    @property
    def identifier(self) -> str:
        """The deployment's id."""
        return self.order.deployment_id

    @property
    def target(self) -> str:
        """The ARN of the thing or thing group."""
        return self.order.target

    @property
    def parent(self) -> str | None:
        """The ARN of the thing group whose deployment this one repeats for fewer devices, if it does."""
        return self.request.get("parentTargetArn") or None

    @property
    def line(self) -> tuple[str, str | None]:
        """What makes deployments revisions of one another."""
        return self.target, self.parent


class DeploymentBook:
    """All deployments in the order of their creation; safe to use from several threads."""

    def __init__(self, memory: Memory, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._memory = memory
        self._deployments: dict[str, Deployment] = {}
        for kept in sorted(memory.recall(DEPLOYMENTS), key=lambda each: int(each["number"])):
            self._replace_earlier(deployment := _read(kept))
            self._deployments[deployment.identifier] = deployment

    def add(self, request: Mapping[str, Any]) -> Deployment:
        """Record the deployment of a CreateDeployment request; the target's earlier one becomes INACTIVE."""
        with self._lock:
            self._check_parent(request)
            line = (request["targetArn"], request.get("parentTargetArn") or None)
            earlier = [each for each in self.all() if each.line == line]
            deployment = parse_deployment(
                request,
                identifier=str(uuid.uuid4()),
                revision=max((each.revision for each in earlier), default=0) + 1,
                number=max((each.number for each in self._deployments.values()), default=0) + 1,
                created=self._now(),
            )
            self._keep(deployment)
            self._replace_earlier(deployment)
            self._deployments[deployment.identifier] = deployment
            return deployment

    def find_token(self, token: str) -> Deployment | None:
        """Return the deployment that was made for a client token lately, if there is one."""
        for each in self.all():
            age = (self._now() - each.created).total_seconds()
            if each.request.get("clientToken") == token and age < TOKEN_SECONDS:
                return each
        return None

    def delete(self, identifier: str) -> None:
        """Forget a deployment that is not active; devices keep what they run. Raises ConflictError."""
        with self._lock:
            if self.find(identifier).status == "ACTIVE":
                message = f"deployment {identifier} is ACTIVE; cancel or replace it first"
                raise ConflictError(message, identifier, "deployment")
            self._memory.forget(DEPLOYMENTS, identifier)
            del self._deployments[identifier]

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
        latest = next(each for each in self.all() if each.line == deployment.line)
        return latest.identifier == deployment.identifier

    def set_status(self, identifier: str, status: str) -> None:
        """Change a deployment's status."""
        with self._lock:
            changed = dataclasses.replace(self._deployments[identifier], status=status)
            self._keep(changed)
            self._deployments[identifier] = changed

    def close_active(self, identifier: str, status: str) -> None:
        """Change the status of a deployment that nothing has replaced or canceled."""
        with self._lock:
            found = self._deployments.get(identifier)
            if found is not None and found.status == "ACTIVE":
                self.set_status(identifier, status)

    def _check_parent(self, request: Mapping[str, Any]) -> None:
        """Refuse a subdeployment of what is not deployed, or to what is no thing group."""
        parent = request.get("parentTargetArn")
        if not parent:
            return
        if ":thinggroup/" not in request["targetArn"]:
            message = "targetArn of a subdeployment, which has a parentTargetArn, must be a thing group"
            raise InvalidError(message)
        if not any(each.target == parent and each.parent is None for each in self.all()):
            message = f"parentTargetArn {parent!r} has no deployment"
            raise InvalidError(message)

    def _replace_earlier(self, deployment: Deployment) -> None:
        for earlier in list(self._deployments.values()):
            if earlier.line == deployment.line and earlier.status not in ("CANCELED", "INACTIVE"):
                self.set_status(earlier.identifier, "INACTIVE")

    def _keep(self, deployment: Deployment) -> None:
        document = {
            "request": dict(deployment.request),
            "identifier": deployment.identifier,
            "revision": deployment.revision,
            "number": deployment.number,
            "created": deployment.created.isoformat(),
            "status": deployment.status,
        }
        self._memory.keep(DEPLOYMENTS, deployment.identifier, document)


def _read(document: Mapping[str, Any]) -> Deployment:
    deployment = parse_deployment(
        document["request"],
        identifier=document["identifier"],
        revision=document["revision"],
        number=document["number"],
        created=moment(document["created"]),
    )
    return dataclasses.replace(deployment, status=document["status"])


def parse_deployment(
    request: Mapping[str, Any],
    *,
    identifier: str,
    revision: int,
    number: int,
    created: datetime,
) -> Deployment:
    """Read a CreateDeployment request; raises InvalidError for what is wrong or not emulated."""
    job_configuration = request.get("iotJobConfiguration") or {}
    components = request.get("components") or {}
    policies = _parse_policies(request.get("deploymentPolicies") or {})
    order = Order(
        deployment_id=identifier,
        target=request["targetArn"],
        source=request.get("parentTargetArn") or request["targetArn"],
        components={name: _parse_component(name, each) for name, each in components.items()},
        rolls_back=policies["failureHandlingPolicy"] == ROLLBACK,
        name=request.get("deploymentName") or "",
        at=created.timestamp(),
    )
    return Deployment(
        order=order,
        revision=revision,
        request=request,
        policies=policies,
        pace=parse_pace(job_configuration, request["targetArn"]),
        created=created,
        number=number,
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
    where = "deploymentPolicies"
    handling = policies["failureHandlingPolicy"]
    check_choice(f"{where}.failureHandlingPolicy", handling, (ROLLBACK, "DO_NOTHING"))
    action = policies["componentUpdatePolicy"]["action"]
    actions = ("NOTIFY_COMPONENTS", "SKIP_NOTIFY_COMPONENTS")
    check_choice(f"{where}.componentUpdatePolicy.action", action, actions)
    return policies


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
