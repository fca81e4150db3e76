"""Puts one compiled pipeline into the local cloud, as a deployment puts it into AWS."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context
from local_cloud.datasets import upload
from local_cloud.fleet import complete
from local_cloud.functions import CUSTOM_HANDLER
from local_cloud.own_code import pack
from local_cloud.platform import create_topic, provision, publish_local_server
from pipelines.assets import read_asset
from pipelines.definition import substitute
from pipelines.spec import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.cloud import LocalCloud
    from local_cloud.plan import Plan

ROOT = Path(__file__).parents[1]
MACHINE_ROLE = f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/edgepipe-functions"


@dataclass(frozen=True, kw_only=True)
class DeployedPipeline:
    """A state machine in the local cloud, and the definition it runs."""

    arn: str
    definition: str


def deploy(cloud: LocalCloud, plan: Plan) -> DeployedPipeline:
    """Create the platform, upload datasets and assets, start the devices, create the state machine."""
    context, usecase, compiled = cloud.context, plan.usecase, plan.compiled
    functions = renew(cloud, plan)
    for dataset in plan.datasets:
        upload(context, usecase.account, dataset)
    publish_local_server(context, usecase)
    _start_devices(cloud, plan)
    markers = functions | usecase.markers() | dict(_upload_assets(context, plan))
    for topic in plan.topics:
        create_topic(context, substitute(topic, markers))
    definition = substitute(compiled.definition, markers)
    arn = _create_machine(context, compiled.pipeline.name, definition)
    return DeployedPipeline(arn=arn, definition=definition)


def renew(cloud: LocalCloud, plan: Plan) -> dict[str, str]:
    """Bring the platform and the functions of custom steps up to date; return the functions' markers."""
    custom = dict(_pack_custom(plan))
    handlers = {**plan.compiled.functions, **dict.fromkeys(custom, CUSTOM_HANDLER)}
    return provision(cloud.context, plan.usecase, handlers, custom)


def _create_machine(context: Context, name: str, definition: str) -> str:
    """Create the state machine, or give the one that exists this definition; return its ARN."""
    states = context.client("stepfunctions", ORCHESTRATOR_ACCOUNT)
    try:
        made = states.create_state_machine(name=name, definition=definition, roleArn=MACHINE_ROLE)
    except states.exceptions.StateMachineAlreadyExists:
        arn = f"arn:aws:states:{context.region}:{ORCHESTRATOR_ACCOUNT}:stateMachine:{name}"
        states.update_state_machine(stateMachineArn=arn, definition=definition, roleArn=MACHINE_ROLE)
        return arn
    else:
        return str(made["stateMachineArn"])


def _pack_custom(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the zip of the function of each custom step."""
    assets = {asset.step: asset for asset in plan.compiled.assets if asset.name.endswith("_handler")}
    for step in plan.custom_steps:
        files = read_asset(assets[step.id.value], spec_dir=plan.spec.parent, platform_dir=ROOT)
        module, _, function = step.config["handler"].partition(":")
        kind = step.known_kind
        declaration = {
            "module": module,
            "function": function,
            "gives": kind.gives,
            "outputs": dict(kind.reports),
        }
        yield f"custom_{identifier(step.id.value)}", pack(files, declaration)


def _start_devices(cloud: LocalCloud, plan: Plan) -> None:
    """Start the fleet, with a device for each target that would meet none."""
    cloud.greengrass.add_fleet(complete(plan.fleet, plan.targets), plan.usecase.account)


def _upload_assets(context: Context, plan: Plan) -> Iterator[tuple[str, str]]:
    """Upload each asset under a name made of its content and yield its marker with its S3 address."""
    s3 = context.client("s3", plan.usecase.account)
    for asset in plan.compiled.assets:
        data = read_asset(asset, spec_dir=plan.spec.parent, platform_dir=ROOT)
        key = f"assets/{hashlib.sha256(data).hexdigest()}/{asset.name}.tar.gz"
        s3.put_object(Bucket=plan.usecase.results_bucket, Key=key, Body=data)
        yield asset.marker, f"s3://{plan.usecase.results_bucket}/{key}"
