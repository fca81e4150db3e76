"""Starts and stops the whole local cloud: moto, our engine, the functions, the jobs and the devices."""

from __future__ import annotations

import gc
import importlib
import os
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch

from moto import mock_aws

from local_cloud import durable, engine, functions, greengrass, identity, sagemaker
from local_cloud.clock import SystemClock
from local_cloud.context import Context
from local_cloud.endpoint import Endpoint
from local_cloud.lock import held
from local_cloud.store import Store
from pipelines.platform import JOBS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moto.core.config import DefaultConfig

    from local_cloud.clock import CloudClock

MOTO: DefaultConfig = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """A running local cloud; boto3 clients of this process talk to it until `local_cloud` ends."""

    context: Context
    store: Store
    endpoint: Endpoint
    engine: engine.Engine
    greengrass: greengrass.Greengrass


@contextmanager
def local_cloud(
    state_dir: Path, *, region: str = "us-east-1", clock: CloudClock | None = None
) -> Iterator[LocalCloud]:
    """Run the local cloud with its state under `state_dir`; when it ends, no process or thread is left.

    What an earlier cloud of the folder kept is there. `clock` is AWS's time in it: this machine's unless it
    is given. Raises InUseError while another process drives the folder.
    """
    folder = state_dir.resolve()
    with ExitStack() as stack:
        stack.enter_context(held(folder))
        store = stack.enter_context(closing(Store(folder)))
        context = Context(state_dir=folder, region=region, store=store, clock=clock or SystemClock())
        stack.enter_context(_environment(region))
        stack.enter_context(_handlers_time(context.clock))
        aws = mock_aws(config=MOTO)
        runs = engine.install(context, path=folder / engine.FILE_NAME)
        memory = durable.install(context)
        endpoint = Endpoint(memory.call, folder / "logs" / "endpoint.log")
        roles, code = identity.install(context), functions.install(context, endpoint)
        jobs, devices = sagemaker.install(context), greengrass.install(context)
        aws.start()
        stack.callback(aws.stop)
        stack.callback(importlib.import_module("tasks.aws").forget)  # its clients belong to this cloud
        for close in (part.close for part in (memory, runs, roles, code, jobs, devices, endpoint)):
            stack.callback(close)
        memory.restore()
        jobs.reopen()
        devices.reopen()
        stack.callback(gc.unfreeze)
        gc.freeze()  # Python would look through all that was imported again and again, 0.1 s each time
        yield LocalCloud(context=context, store=store, endpoint=endpoint, engine=runs, greengrass=devices)


@contextmanager
def _handlers_time(clock: CloudClock) -> Iterator[None]:
    """Let the handlers' deadlines go by the cloud's clock."""
    protocol = importlib.import_module("tasks.callback")
    with patch.object(protocol, "time", SimpleNamespace(time=clock.now)):
        yield


@contextmanager
def _environment(region: str) -> Iterator[None]:
    """Hide the user's own AWS settings, so that no local run can reach a real account.

    The name of the jobs table is for what reads jobs outside a function, such as approvals.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    offline = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": region,
        "EDGEPIPE_JOBS_TABLE": JOBS_TABLE,
    }
    with patch.dict(os.environ, {**kept, **offline}, clear=True):
        yield
