"""The Greengrass V2 API as moto serves it: each operation reads its request and asks the account."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import camelcase_to_underscores

from . import shapes
from .refusals import InvalidError, NotFoundError, check_choice, not_emulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .device import Device
    from .shapes import Answer


class GreengrassV2Response(BaseResponse):
    """One request; `accounts` finds the state of an account and region."""

    accounts: ClassVar[Callable[[str, str], Account]]

    def __init__(self) -> None:
        super().__init__(service_name="greengrassv2")
        self.automated_parameter_parsing = True

    @property
    def account(self) -> Account:
        """The account and region of the request."""
        return type(self).accounts(self.current_account, self.region)

    def call_action(self) -> Any:  # noqa: ANN401 - as moto has it
        """Run the operation; one that is not emulated is refused with a name and a remedy."""
        operation = self._get_action()
        if not operation or not hasattr(self, camelcase_to_underscores(operation)):
            what = operation or f"{self.method} {self.path}"
            error = not_emulated(f"the operation {what} of greengrassv2", "use another one")
            status, headers, body = self.serialized(ActionResult(error))
            return status, headers, body
        return super().call_action()

    def create_component_version(self) -> ActionResult:
        """Publish a component version from its recipe."""
        if self.params.get("lambdaFunction"):
            msg = "lambdaFunction"
            raise not_emulated(msg, "publish a recipe with inlineRecipe")
        tags = self.params.get("tags") or {}
        registry = self.account.registry
        text = _recipe_text(self.params.get("inlineRecipe"))
        version = registry.publish(text, tagged=bool(tags), token=self.params.get("clientToken"))
        self.account.tag(version.arn, tags)
        return ActionResult(shapes.created_component(version))

    def describe_component(self) -> ActionResult:
        """Describe a component version."""
        version = self.account.registry.find(self._arn())
        return ActionResult(shapes.described_component(version, self._tags(version.arn)))

    def get_component(self) -> ActionResult:
        """Return a recipe with the digests of its artifacts."""
        version = self.account.registry.find(self._arn())
        asked = self.params.get("recipeOutputFormat") or "JSON"
        output_format = check_choice("recipeOutputFormat", asked, ("JSON", "YAML"))
        answer = {
            "recipeOutputFormat": output_format,
            "recipe": version.render(output_format),
            "tags": self._tags(version.arn),
        }
        return ActionResult(answer)

    def list_components(self) -> ActionResult:
        """List the components of the account; AWS's own (scope PUBLIC) are not here."""
        scope = check_choice("scope", self.params.get("scope") or "PRIVATE", ("PRIVATE", "PUBLIC"))
        if scope != "PRIVATE":
            msg = "scope PUBLIC"
            raise not_emulated(msg, "list PRIVATE components")
        components = [shapes.listed_component(each) for each in self.account.registry.latest_versions()]
        return self._page("components", components)

    def list_component_versions(self) -> ActionResult:
        """List the versions of a component, newest first."""
        versions = self.account.registry.find_versions(self._arn())
        return self._page("componentVersions", [shapes.listed_version(each) for each in versions])

    def delete_component(self) -> ActionResult:
        """Delete a component version."""
        self.account.registry.delete(self._arn())
        self.account.untag(self._arn())
        return EmptyResult()

    def create_deployment(self) -> ActionResult:
        """Deploy components to a thing or thing group."""
        deployment = self.account.deploy(dict(self.params))
        arn = self.account.arn("greengrass", f"deployments:{deployment.identifier}")
        self.account.tag(arn, self.params.get("tags") or {})
        return ActionResult(shapes.created_deployment(self.account, deployment.identifier))

    def get_deployment(self) -> ActionResult:
        """Return a deployment."""
        deployment = self.account.deployments.find(self._get_param("deploymentId"))
        return ActionResult(shapes.got_deployment(self.account, deployment))

    def list_deployments(self) -> ActionResult:
        """List deployments, the latest first; by default only the latest of each target."""
        book = self.account.deployments
        target, parent = self.params.get("targetArn"), self.params.get("parentTargetArn")
        history = check_choice(
            "historyFilter", self.params.get("historyFilter") or "LATEST_ONLY", ("ALL", "LATEST_ONLY")
        )
        chosen = [
            each
            for each in book.all()
            if target in (None, each.target)
            and parent in (None, each.parent)
            and (history == "ALL" or book.is_latest(each))
        ]
        return self._page("deployments", [shapes.listed_deployment(self.account, each) for each in chosen])

    def delete_deployment(self) -> ActionResult:
        """Delete a deployment that is not active; devices keep what they run."""
        identifier = self._get_param("deploymentId")
        self.account.deployments.delete(identifier)
        self.account.untag(self.account.arn("greengrass", f"deployments:{identifier}"))
        return EmptyResult()

    def cancel_deployment(self) -> ActionResult:
        """Cancel a deployment for the devices that have not begun it."""
        deployment = self.account.cancel(self._get_param("deploymentId"))
        return ActionResult({"message": f"Deployment {deployment.identifier} is {deployment.status}."})

    def list_core_devices(self) -> ActionResult:
        """List the virtual core devices."""
        if status := self.params.get("status"):
            check_choice("status", status, ("HEALTHY", "UNHEALTHY"))
        devices = self.account.devices()
        if group := self.params.get("thingGroupArn"):
            devices = [each for each in devices if _has_deployed(each, group)]
        wanted = {field: self.params.get(field) for field in ("status", "runtime") if self.params.get(field)}
        listed = [shapes.listed_device(device) for device in devices]
        return self._page("coreDevices", [each for each in listed if wanted.items() <= each.items()])

    def get_core_device(self) -> ActionResult:
        """Return a core device."""
        device = self._device()
        tags = self._tags(self.account.arn("greengrass", f"coreDevices:{device.thing}"))
        return ActionResult(shapes.got_device(device, tags))

    def delete_core_device(self) -> ActionResult:
        """Switch a core device off and forget it; its IoT thing stays."""
        self.account.delete_device(self._device().thing)
        return EmptyResult()

    def list_effective_deployments(self) -> ActionResult:
        """List what became of every deployment that a device got, the latest first."""
        executions = self._device().executions()
        shown = [shapes.effective_deployment(self.account, each) for each in executions]
        return self._page("effectiveDeployments", shown)

    def list_installed_components(self) -> ActionResult:
        """List the components on a device; by default only those that a deployment names."""
        components = self._device().installed()
        wanted = check_choice("topologyFilter", self.params.get("topologyFilter") or "ROOT", ("ALL", "ROOT"))
        if wanted == "ROOT":
            components = [each for each in components if each.is_root]
        return self._page("installedComponents", [shapes.installed_component(each) for each in components])

    def list_tags_for_resource(self) -> ActionResult:
        """Return the tags of a component version, a deployment or a core device."""
        return ActionResult({"tags": self._tags(self._resource())})

    def tag_resource(self) -> ActionResult:
        """Add tags."""
        self.account.tag(self._resource(), self.params["tags"])
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags."""
        self.account.tag(self._resource(), {}, removed=self.params["tagKeys"])
        return EmptyResult()

    def _arn(self) -> str:
        return str(self._get_param("arn"))

    def _device(self) -> Any:  # noqa: ANN401 - moto's parameters have no types
        return self.account.device(self._get_param("coreDeviceThingName"))

    def _tags(self, arn: str) -> dict[str, str]:
        return self.account.tags(arn)

    def _resource(self) -> str:
        arn = self._get_param("resourceArn")
        kind, _, name = arn.rpartition(":greengrass:")[2].split(":", 2)[2].partition(":")
        if kind == "components":
            self.account.registry.find(arn)
        elif kind == "deployments":
            self.account.deployments.find(name)
        elif kind == "coreDevices":
            self.account.device(name)
        else:
            raise NotFoundError(arn, "resource")
        return str(arn)

    def _page(self, key: str, items: list[Answer]) -> ActionResult:
        return ActionResult(shapes.page(items, self.params, key=key))


def _has_deployed(device: Device, group: str) -> bool:
    """Say whether a deployment to the group has succeeded on a device; AWS's filter asks for no more."""
    return any(
        each.order.target == group and each.status in ("SUCCEEDED", "COMPLETED")
        for each in device.executions()
    )


def _recipe_text(blob: Any) -> str:  # noqa: ANN401 - moto's parameters have no types
    if not blob:
        message = "inlineRecipe is missing"
        raise InvalidError(message)
    data = base64.b64decode(blob) if isinstance(blob, str) else bytes(blob)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"inlineRecipe is not UTF-8 text: {error}"
        raise InvalidError(message) from error
