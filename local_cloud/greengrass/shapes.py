"""What the Greengrass V2 API answers: our records in the fields of botocore's model."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from .planning import NUCLEUS_VERSION
from .refusals import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .account import Account
    from .crew import InstalledComponent
    from .deployments import Deployment
    from .device import Device
    from .execution import Execution
    from .registry import ComponentVersion

MAX_RESULTS = 100

Answer = dict[str, Any]

_DEPLOYABLE = {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}}


def created_component(version: ComponentVersion) -> Answer:
    """CreateComponentVersion: AWS makes the component deployable only after it has answered."""
    return {
        "arn": version.arn,
        "componentName": version.recipe.name,
        "componentVersion": version.recipe.version,
        "creationTimestamp": version.created,
        "status": {**_DEPLOYABLE, "componentState": "REQUESTED"},
    }


def described_component(version: ComponentVersion, tags: dict[str, str]) -> Answer:
    """DescribeComponent."""
    return {
        **created_component(version),
        "status": _DEPLOYABLE,
        "publisher": version.recipe.publisher,
        "description": version.recipe.description,
        "platforms": _platforms(version),
        "tags": tags,
    }


def listed_component(version: ComponentVersion) -> Answer:
    """One component of ListComponents, by its newest version."""
    latest = {
        "arn": version.arn,
        "componentVersion": version.recipe.version,
        "creationTimestamp": version.created,
        "description": version.recipe.description,
        "publisher": version.recipe.publisher,
        "platforms": _platforms(version),
    }
    return {"arn": version.component_arn, "componentName": version.recipe.name, "latestVersion": latest}


def listed_version(version: ComponentVersion) -> Answer:
    """One version of ListComponentVersions."""
    return {
        "arn": version.arn,
        "componentName": version.recipe.name,
        "componentVersion": version.recipe.version,
    }


def created_deployment(account: Account, identifier: str) -> Answer:
    """CreateDeployment. The IoT job has an ARN, as on AWS, but no entry in the IoT service."""
    return {
        "deploymentId": identifier,
        "iotJobId": identifier,
        "iotJobArn": account.arn("iot", f"job/{identifier}"),
    }


def listed_deployment(account: Account, deployment: Deployment) -> Answer:
    """One deployment of ListDeployments."""
    return {
        "targetArn": deployment.target,
        "revisionId": str(deployment.revision),
        "deploymentId": deployment.identifier,
        "deploymentName": deployment.order.name,
        "creationTimestamp": deployment.created,
        "deploymentStatus": deployment.status,
        "isLatestForTarget": account.deployments.is_latest(deployment),
        **({"parentTargetArn": deployment.parent} if deployment.parent else {}),
    }


def got_deployment(account: Account, deployment: Deployment) -> Answer:
    """GetDeployment."""
    return {
        **listed_deployment(account, deployment),
        **created_deployment(account, deployment.identifier),
        "components": deployment.request.get("components") or {},
        "deploymentPolicies": deployment.policies,
        "iotJobConfiguration": deployment.request.get("iotJobConfiguration") or {},
        "tags": account.tags(account.arn("greengrass", f"deployments:{deployment.identifier}")),
    }


def listed_device(device: Device) -> Answer:
    """One device of ListCoreDevices."""
    return {
        "coreDeviceThingName": device.thing,
        "status": "HEALTHY" if device.is_healthy() else "UNHEALTHY",
        "lastStatusUpdateTimestamp": device.updated,
        "platform": device.attributes["os"],
        "architecture": device.attributes["architecture"],
        "runtime": device.runtime,
    }


def got_device(device: Device, tags: dict[str, str]) -> Answer:
    """GetCoreDevice."""
    return {**listed_device(device), "coreVersion": NUCLEUS_VERSION, "tags": tags}


def effective_deployment(account: Account, execution: Execution) -> Answer:
    """One deployment of ListEffectiveDeployments."""
    order = execution.order
    return {
        **created_deployment(account, order.deployment_id),
        "deploymentName": order.name,
        "targetArn": order.target,
        "coreDeviceExecutionStatus": execution.status,
        "reason": execution.reason,
        "creationTimestamp": execution.created,
        "modifiedTimestamp": execution.modified,
        "statusDetails": {
            "errorStack": list(execution.error_codes),
            "errorTypes": list(execution.error_types),
        },
    }


def installed_component(component: InstalledComponent) -> Answer:
    """One component of ListInstalledComponents."""
    return {
        "componentName": component.blueprint.name,
        "componentVersion": component.blueprint.version,
        "lifecycleState": str(component.state),
        "lifecycleStateDetails": component.detail[:1000],
        "isRoot": component.is_root,
        "lastStatusChangeTimestamp": component.changed,
        "lastReportedTimestamp": component.changed,
    }


def page(items: Sequence[Answer], params: Answer, *, key: str) -> Answer:
    """Return one page of a list; raises InvalidError for a bad `maxResults` or `nextToken`."""
    size = int(params.get("maxResults") or MAX_RESULTS)
    if not 1 <= size <= MAX_RESULTS:
        message = f"maxResults must be between 1 and {MAX_RESULTS}, not {size}"
        raise InvalidError(message)
    start = _decode_token(params.get("nextToken"))
    answer: Answer = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer


def _decode_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error) as error:
        message = f"nextToken {token!r} is not one that this API gave"
        raise InvalidError(message) from error


def _platforms(version: ComponentVersion) -> list[Answer]:
    return [
        {"name": manifest.name or None, "attributes": dict(manifest.platform)}
        for manifest in version.recipe.manifests
    ]
