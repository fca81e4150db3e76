"""Greengrass in one account and region: its registry, its deployments, its core devices and their tags."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from local_cloud.clock import moment

from .artifacts import ArtifactStore
from .deployments import Deployment, DeploymentBook
from .device import Device, Links
from .equipment import Equipment
from .faults import Faults
from .memory import DEVICES, EXECUTIONS, INSTALLATIONS, TAGS, Memory
from .platforms import host_attributes
from .refusals import ConflictError, InvalidError, NotFoundError
from .registry import Registry
from .rollout import Rollout
from .specs import DeviceSpec, read_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from local_cloud.context import Context

    from .execution import Execution
    from .gate import Gate


class Account:
    """The state behind the API of one account; every method may be called from any thread."""

    def __init__(self, context: Context, account: str, gate: Gate) -> None:
        self.region = context.region
        self.account = account
        self._memory = Memory(context.store, account)
        s3 = _LazyClient(context, "s3", account)
        self.registry = Registry(context.region, account, s3, self._memory)
        self.deployments = DeploymentBook(self._memory, self._now)
        self._tags = {each["arn"]: each["tags"] for each in self._memory.recall(TAGS)}
        self._context = context
        self._gate = gate
        self._lock = threading.RLock()
        self._devices: dict[str, Device] = {}
        self._rollouts: dict[str, Rollout] = {}

    def arn(self, service: str, path: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{path}"

    def reopen(self) -> None:
        """Switch the devices on that were kept, and go on with the deployments that were under way."""
        installations = {each["thing"]: each for each in self._memory.recall(INSTALLATIONS)}
        executions: dict[str, list[Mapping[str, Any]]] = {}
        for each in self._memory.recall(EXECUTIONS):
            executions.setdefault(each["thing"], []).append(each)
        for kept in sorted(self._memory.recall(DEVICES), key=lambda each: int(each.get("order", 0))):
            spec = read_spec(kept["spec"])
            with self._lock:
                if spec.thing not in self._devices:
                    device = self._devices[spec.thing] = self._device(spec)
                    device.switch_on(installations.get(spec.thing), executions.get(spec.thing, ()))
        for deployment in reversed(self.deployments.all()):
            if deployment.status == "ACTIVE":
                self._go_on(deployment)

    def add_device(self, spec: DeviceSpec) -> Device:
        """Switch on a virtual core device, its IoT thing made if missing, and give it what is due to it.

        A device that is on already takes over groups, attributes, labels and faults.
        """
        self._make_thing(spec)
        with self._lock:
            if device := self._devices.get(spec.thing):
                if device.spec != spec:
                    device.change(spec)
                return device
            device = self._devices[spec.thing] = self._device(spec)
            device.switch_on()
        self.tag(self.arn("greengrass", f"coreDevices:{spec.thing}"), spec.labels)
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

    def delete_device(self, thing: str) -> None:
        """Switch a core device off for good; its IoT thing stays. Raises NotFoundError."""
        device = self.device(thing)
        device.close()
        with self._lock:
            self._devices.pop(thing, None)
        device.forget()
        self.untag(self.arn("greengrass", f"coreDevices:{thing}"))

    def deploy(self, request: Mapping[str, Any]) -> Deployment:
        """Record a deployment and hand it to its devices; raises NotFoundError for an unknown target.

        The same client token gets the deployment that was made for it.
        """
        with self._lock:
            token = request.get("clientToken")
            if token and (made := self.deployments.find_token(token)):
                return made
            devices = self.targeted(request["targetArn"])
            deployment = self.deployments.add(request)
            self._roll_out(deployment).start(devices)
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
            raise InvalidError(message, field="targetArn")
        members = self._members(kind, name)
        return [device for device in self.devices() if device.thing in members]

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource."""
        return dict(self._tags.get(arn, {}))

    def tag(self, arn: str, tags: Mapping[str, str], removed: Iterable[str] = ()) -> None:
        """Add tags to a resource, and take others away."""
        with self._lock:
            kept = {**self.tags(arn), **tags}
            for key in removed:
                kept.pop(key, None)
            if kept or arn in self._tags:
                self._memory.keep(TAGS, arn, {"arn": arn, "tags": kept})
                self._tags[arn] = kept

    def untag(self, arn: str) -> None:
        """Forget the tags of a resource that is gone."""
        with self._lock:
            self._memory.forget(TAGS, arn)
            self._tags.pop(arn, None)

    def close(self) -> None:
        """Switch all devices off, the last added first."""
        for rollout in list(self._rollouts.values()):
            rollout.close()
        devices = self.devices()
        for device in devices:
            device.begin_close()
        for device in reversed(devices):
            device.close()

    def _now(self) -> datetime:
        return moment(self._context.clock.now())

    def _device(self, spec: DeviceSpec) -> Device:
        root = (self._context.state_dir / "devices" / spec.thing).resolve()
        attributes = host_attributes()
        equipment = Equipment(
            thing=spec.thing,
            root=root,
            attributes={**attributes, "architecture": spec.architecture or attributes["architecture"]},
            registry=self.registry,
            artifacts=ArtifactStore(root, _LazyClient(self._context, "s3", self.account)),
            faults=Faults(spec.faults, self._context.clock.now),
            clock=self._context.clock,
            targets=lambda: self._targets(spec.thing),
        )
        return Device(
            spec,
            equipment,
            Links(region=self.region, memory=self._memory, gate=self._gate, report=self._hear),
            order=max((each.order for each in self._devices.values()), default=0) + 1,
        )

    def _roll_out(self, deployment: Deployment, statuses: Mapping[str, str] | None = None) -> Rollout:
        identifier = deployment.identifier
        rollout = self._rollouts[identifier] = Rollout(
            deployment.order,
            deployment.pace,
            is_active=lambda: self.deployments.find(identifier).status == "ACTIVE",
            cancel=lambda: self.cancel(identifier),
            statuses=statuses or {},
            clock=self._context.clock,
        )
        return rollout

    def _go_on(self, deployment: Deployment) -> None:
        """Hand a deployment to the devices of its target that have not got it yet."""
        try:
            devices = self.targeted(deployment.target)
        except NotFoundError:
            return
        reached = {
            device.thing: execution.status
            for device in devices
            for execution in device.executions()
            if execution.order.deployment_id == deployment.identifier
        }
        rollout = self._roll_out(deployment, reached)
        rollout.start([device for device in devices if device.thing not in reached])

    def _make_thing(self, spec: DeviceSpec) -> None:
        iot = self._context.client("iot", self.account)
        attributes = {"attributes": dict(spec.attributes), "merge": True}
        try:
            iot.describe_thing(thingName=spec.thing)
        except iot.exceptions.ResourceNotFoundException:
            iot.create_thing(thingName=spec.thing, attributePayload=attributes)
        else:
            if spec.attributes:
                iot.update_thing(thingName=spec.thing, attributePayload=attributes)
        for group in spec.groups:
            # Asked again, moto takes the same group for another one.
            with contextlib.suppress(iot.exceptions.ResourceAlreadyExistsException):
                iot.create_thing_group(thingGroupName=group)
            iot.add_thing_to_thing_group(thingGroupName=group, thingName=spec.thing)

    def _members(self, kind: str, name: str) -> set[str]:
        iot = self._context.client("iot", self.account)
        try:
            if kind == "thing":
                return {iot.describe_thing(thingName=name)["thingName"]}
            pages = iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=name)
            return {thing for page in pages for thing in page["things"]}
        except iot.exceptions.ResourceNotFoundException as error:
            raise NotFoundError(self.arn("iot", f"{kind}/{name}"), kind) from error

    def _targets(self, thing: str) -> set[str]:
        """Return the ARNs of a thing and of the groups that it is in."""
        iot = self._context.client("iot", self.account)
        groups = iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"]
        return {self.arn("iot", f"thing/{thing}"), *(each["groupArn"] for each in groups)}

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
            "time": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
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
