"""Greengrass in one account and region: its registry, its deployments, its core devices and their tags."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .artifacts import ArtifactStore
from .deployments import Deployment, DeploymentBook
from .device import Device, Execution
from .planning import Equipment
from .platforms import host_attributes
from .refusals import ConflictError, InvalidError, NotFoundError
from .registry import Registry
from .rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.context import Context

_TOKEN_SECONDS = 8 * 3600.0
"""For how long AWS answers a repeated client token with the first answer."""


class Account:
    """The state behind the API of one account; every method may be called from any thread."""

    def __init__(self, context: Context, account: str) -> None:
        self.region = context.region
        self.account = account
        self.registry = Registry(context.region, account, _LazyClient(context, "s3", account))
        self.deployments = DeploymentBook()
        self.tags: dict[str, dict[str, str]] = {}
        self._context = context
        self._lock = threading.RLock()
        self._devices: dict[str, Device] = {}
        self._rollouts: dict[str, Rollout] = {}
        self._answers: dict[str, tuple[float, dict[str, Any]]] = {}

    def arn(self, service: str, path: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{path}"

    def add_device(self, thing: str) -> Device:
        """Switch on a virtual core device, its IoT thing made if missing, and give it what is due to it."""
        with self._lock:
            if thing in self._devices:
                return self._devices[thing]
            self._make_thing(thing)
            root = self._context.state_dir / "devices" / thing
            equipment = Equipment(
                thing=thing,
                root=root.resolve(),
                attributes=host_attributes(),
                registry=self.registry,
                artifacts=ArtifactStore(root.resolve(), _LazyClient(self._context, "s3", self.account)),
            )
            device = Device(equipment, region=self.region, report=self._hear, clock=self._context.clock)
            self._devices[thing] = device
        for deployment in reversed(self.deployments.all()):
            if deployment.status in ("ACTIVE", "COMPLETED") and device in self.targeted(deployment.target):
                device.submit(deployment.order)
        return device

    def device(self, thing: str) -> Device:
        """Return a core device; raises NotFoundError."""
        with self._lock:
            if thing not in self._devices:
                raise NotFoundError(thing, "coreDevice")
            return self._devices[thing]

    def devices(self) -> list[Device]:
        """Return all core devices, in the order in which they were added."""
        with self._lock:
            return list(self._devices.values())

    def deploy(self, request: Mapping[str, Any]) -> Deployment:
        """Record a deployment and hand it to its devices; raises NotFoundError for an unknown target."""
        with self._lock:
            devices = self.targeted(request["targetArn"])
            deployment = self.deployments.add(request)
            rollout = self._rollout(deployment)
            self._rollouts[deployment.identifier] = rollout
            rollout.start(devices)
        return deployment

    def cancel(self, identifier: str) -> Deployment:
        """Cancel a deployment for devices that have not begun it; ConflictError if it is not ACTIVE."""
        with self._lock:
            deployment = self.deployments.find(identifier)
            if deployment.status != "ACTIVE":
                message = f"deployment {identifier} is {deployment.status}; only ACTIVE ones can be canceled"
                raise ConflictError(message, identifier, "deployment")
            self.deployments.set_status(identifier, "CANCELED")
        for device in self.devices():
            device.cancel(identifier)
        return self.deployments.find(identifier)

    def targeted(self, target: str) -> list[Device]:
        """Return the core devices that a thing or thing group ARN means; raises NotFoundError."""
        kind, _, name = target.rpartition(":")[2].partition("/")
        if target != self.arn("iot", f"{kind}/{name}") or kind not in ("thing", "thinggroup"):
            message = f"targetArn {target!r} must be a thing or thing group of {self.arn('iot', '...')}"
            raise InvalidError(message)
        members = self._members(kind, name)
        return [device for device in self.devices() if device.thing in members]

    def answer_once(self, key: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the answer already given for the key, a client token, or make it now."""
        now = time.monotonic()
        with self._lock:
            fresh = {
                each: (at, reply) for each, (at, reply) in self._answers.items() if now - at < _TOKEN_SECONDS
            }
            self._answers = fresh
            if key not in fresh:
                self._answers[key] = (now, answer())
            return self._answers[key][1]

    def close(self) -> None:
        """Switch all devices off, the last added first."""
        for rollout in list(self._rollouts.values()):
            rollout.close()
        for device in reversed(self.devices()):
            device.close()

    def _rollout(self, deployment: Deployment) -> Rollout:
        identifier = deployment.identifier
        return Rollout(
            deployment.order,
            deployment.pace,
            is_active=lambda: self.deployments.find(identifier).status == "ACTIVE",
            cancel=lambda: self.cancel(identifier),
        )

    def _make_thing(self, thing: str) -> None:
        iot = self._context.client("iot", self.account)
        try:
            iot.describe_thing(thingName=thing)
        except iot.exceptions.ResourceNotFoundException:
            iot.create_thing(thingName=thing)

    def _members(self, kind: str, name: str) -> set[str]:
        iot = self._context.client("iot", self.account)
        try:
            if kind == "thing":
                return {iot.describe_thing(thingName=name)["thingName"]}
            pages = iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=name)
            return {thing for page in pages for thing in page["things"]}
        except iot.exceptions.ResourceNotFoundException as error:
            raise NotFoundError(self.arn("iot", f"{kind}/{name}"), kind) from error

    def _hear(self, device: Device, execution: Execution) -> None:
        """Take note of what a device did, then tell whoever listens."""
        if not execution.is_over:
            return
        if rollout := self._rollouts.get(execution.order.deployment_id):
            rollout.hear(device.thing, execution.status)
        # A thing group's deployment stays active: it waits for things that join.
        if ":thing/" in execution.order.target and execution.status in ("COMPLETED", "FAILED"):
            self.deployments.close_active(execution.order.deployment_id, execution.status)
        self._context.emit(self._event(device, execution))

    def _event(self, device: Device, execution: Execution) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Greengrass V2 Effective Deployment Status Change",
            "source": "aws.greengrass",
            "account": self.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": [self.arn("greengrass", f"coreDevices:{device.thing}")],
            "detail": {
                "deploymentId": execution.order.deployment_id,
                "coreDeviceExecutionStatus": execution.status,
                "statusDetails": {
                    "errorStack": list(execution.error_codes),
                    "errorTypes": list(execution.error_types),
                },
                "reason": execution.reason,
            },
        }


class _LazyClient:
    """A boto3 client that is made at its first use, when the emulated cloud has been started."""

    def __init__(self, context: Context, service: str, account: str) -> None:
        self._context = context
        self._service = service
        self._account = account

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - boto3 clients are made at run time
        return getattr(self._context.client(self._service, self._account), name)
