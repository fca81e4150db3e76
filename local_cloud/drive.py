"""One run inside an open local cloud: begun or gone on with, followed to its end, and its results kept."""

from __future__ import annotations

import importlib
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local_cloud import interrupts, predictions
from local_cloud.clock import moment
from local_cloud.context import ORCHESTRATOR_ACCOUNT
from local_cloud.deployment import deploy, renew
from local_cloud.progress import plain_cause, read_steps
from local_cloud.record import Failure, Record, write_artifacts, write_record
from local_cloud.rules import rules, sweep
from pipelines.assets import AssetError
from pipelines.platform import JOBS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from local_cloud.approvals import Approvals
    from local_cloud.cloud import LocalCloud
    from local_cloud.deployment import DeployedPipeline
    from local_cloud.labelling.notices import Notices
    from local_cloud.plan import Plan
    from local_cloud.progress import Terminal
    from local_cloud.requests import Requests

INTERRUPTED = "stopped by the person who ran it"
LOOK_SECONDS = 0.1
SETTLE_SECONDS = 60.0
"""How long a device may take to start what it has, after its process was killed."""
LOOKS_BETWEEN_JOBS = 10
"""What a step waits for is asked less often than how the run stands."""
END_SECONDS = 30.0
"""How long jobs that have been told to stop may take; what they leave open the next sweeper settles."""
DRIVER_FILE = "driver"
DEFINITION_FILE = "definition.json"
CLOUD_LOG = re.compile(r"log: (/aws/[^\s)]+)")
_LOG_GROUPS = {"training": "TrainingJobs", "processing": "ProcessingJobs", "labeling": "LabelingJobs"}


@dataclass(kw_only=True)
class LocalRun:
    """One run inside a started local cloud."""

    cloud: LocalCloud
    plan: Plan
    terminal: Terminal
    approvals: Approvals
    requests: Requests
    labels: Notices
    _events: list[Mapping[str, Any]] = field(default_factory=list)
    _waits: dict[str, str] = field(default_factory=dict)
    _logs: dict[str, list[str]] = field(default_factory=dict)

    def execute(self) -> Record:
        """Begin the run or go on with it, follow it to its end, try the device, keep what it made."""
        self.requests.withdraw_stop()
        (self.plan.folder / DRIVER_FILE).write_text(str(os.getpid()), encoding="utf-8")
        definition = self._definition()
        deployed = None if definition else deploy(self.cloud, self.plan)
        runs = deployed.definition if deployed else definition or ""
        with rules(self.cloud.context, runs, lambda: self.approvals.answer_beforehand(self.plan.arn)):
            if deployed:
                self._begin(deployed)
            else:
                self._go_on()
            record = self._follow()
            if record.status != "SUCCEEDED":
                self._end_jobs()
        if any(step.kind == "deploy" and step.begun for step in record.steps):
            self._await_devices(record)
            things = [device.thing for device in self.cloud.greengrass.devices]
            record = replace(record, devices={thing: self._device(thing) for thing in things})
        if record.status == "SUCCEEDED":
            record = self._try_device(record)
        return self._keep(record)

    def _await_devices(self, record: Record) -> None:
        """Wait until what was deployed runs: devices have just been switched on where a run goes on."""
        deployments = [step.outputs.get("deployment") for step in record.steps if step.kind == "deploy"]
        wanted = {
            (thing, name)
            for made in deployments
            if isinstance(made, dict)
            for thing, device in made["facts"]["devices"].items()
            if device["status"] == "SUCCEEDED"
            for name in device.get("components", {})
        }
        deadline = time.monotonic() + SETTLE_SECONDS
        while wanted - self._settled() and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def _settled(self) -> set[tuple[str, str]]:
        """Return the devices and components that will not change of their own accord."""
        return {
            (device.thing, component.blueprint.name)
            for device in self.cloud.greengrass.devices
            for component in device.installed()
            if component.state in {"RUNNING", "FINISHED", "BROKEN"}
        }

    def abort(self) -> Record:
        """End a run that nobody drives, stop its jobs, and return its record."""
        states = self._client("stepfunctions", ORCHESTRATOR_ACCOUNT)
        if self._definition() is None:
            failure = Failure(
                step=None, where=self.plan.where(None), error="Interrupted", message=INTERRUPTED
            )
            record = replace(self._record("ABORTED", []), failure=failure)
        else:
            states.stop_execution(executionArn=self.plan.arn, error="Interrupted", cause=INTERRUPTED)
            self._end_jobs()
            record = self._look(states)
        return self._keep(record)

    def _definition(self) -> str | None:
        """Return what the execution runs, or None if it has not been started."""
        states = self._client("stepfunctions", ORCHESTRATOR_ACCOUNT)
        try:
            machine = states.describe_state_machine_for_execution(executionArn=self.plan.arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return str(machine["definition"])

    def _begin(self, pipeline: DeployedPipeline) -> None:
        """Start the execution of what has been deployed."""
        (self.plan.folder / DEFINITION_FILE).write_text(pipeline.definition, encoding="utf-8")
        self._client("stepfunctions", ORCHESTRATOR_ACCOUNT).start_execution(
            stateMachineArn=pipeline.arn,
            name=self.plan.run_id,
            input=json.dumps({"params": self.plan.params}),
        )

    def _go_on(self) -> None:
        """Let the execution run where it stood, also one that failed, was stopped or timed out."""
        states = self._client("stepfunctions", ORCHESTRATOR_ACCOUNT)
        status = states.describe_execution(executionArn=self.plan.arn)["status"]
        if status == "RUNNING":
            self.cloud.engine.resume(self.plan.arn)
        elif status != "SUCCEEDED":
            self._end_jobs()  # a process that was killed while it stopped the run has left them
            self._renew()
            states.redrive_execution(executionArn=self.plan.arn)

    def _renew(self) -> None:
        """Take the functions of custom steps as a person may have mended them."""
        try:
            renew(self.cloud, self.plan)
        except (OSError, AssetError) as error:
            self.terminal.print(f"going on with the code of before: {error}")

    def _follow(self) -> Record:
        """Show the execution's steps until it has ended; Ctrl-C or a request stops it."""
        states = self._client("stepfunctions", ORCHESTRATOR_ACCOUNT)
        record, looks = self._look(states), 0
        with interrupts.noted() as stop:
            while record.status == "RUNNING":
                if stop.wait(LOOK_SECONDS) or self.requests.wants_stop():
                    states.stop_execution(executionArn=self.plan.arn, error="Interrupted", cause=INTERRUPTED)
                elif any(step.kind == "approve" and step.status == "RUNNING" for step in record.steps):
                    self.approvals.look(self.plan.arn)
                if looks % LOOKS_BETWEEN_JOBS == 0:
                    self._look_at_jobs()
                looks += 1
                record = self._look(states)
                self.terminal.show(record.steps, record.now)
        return record

    def _look(self, states: Any) -> Record:  # noqa: ANN401 - a boto3 client
        execution = states.describe_execution(executionArn=self.plan.arn)
        fresh = self._read_events(states)
        record = self._record(execution["status"], self._events)
        if execution["status"] not in {"RUNNING", "SUCCEEDED"}:
            return self._explain(record, execution)
        if fresh:
            # Final only once everything has been kept: a run that is killed before that is gone on with.
            write_record(replace(record, status="RUNNING"))
        return record

    def _record(self, status: str, events: Sequence[Mapping[str, Any]]) -> Record:
        return Record(
            run_id=self.plan.run_id,
            pipeline=self.plan.compiled.pipeline.name,
            status=status,
            steps=read_steps(events, self.plan.kinds),
            folder=self.plan.folder,
            started=self.plan.started,
            now=self._now(),
            devices={},
            waits=dict(self._waits),
            logs=dict(self._logs),
        )

    def _read_events(self, states: Any) -> bool:  # noqa: ANN401 - a boto3 client
        """Read the events that are new, the newest first; say whether there were any."""
        last = self._events[-1]["id"] if self._events else 0
        fresh: list[Mapping[str, Any]] = []
        pages = states.get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=self.plan.arn, reverseOrder=True):
            new = [event for event in page["events"] if event["id"] > last]
            fresh += new
            if len(new) < len(page["events"]):
                break
        self._events += reversed(fresh)
        return bool(fresh)

    def _look_at_jobs(self) -> None:
        """Note what the running steps wait for, and where its log is; write the record if that is new."""
        before, self._waits = self._waits, {}
        for job in self._open_jobs():
            people = self.labels.words(job.step) if job.type == "labeling" else None
            self._waits[job.step] = people or _describe(job, moment(job.deadline))
            self._note_log(job.step, job.type, job.name)
        if self._waits != before:
            write_record(self._record("RUNNING", self._events))

    def _find_logs(self) -> None:
        """Note the logs of all the run's jobs, also of those that were over before anybody looked."""
        table = self._client("dynamodb", ORCHESTRATOR_ACCOUNT)
        mine = {
            "FilterExpression": "run_arn = :run",
            "ExpressionAttributeValues": {":run": {"S": self.plan.arn}},
        }
        with suppress(table.exceptions.ResourceNotFoundException):  # nothing was deployed
            pages = table.get_paginator("scan").paginate(TableName=JOBS_TABLE, **mine)
            items = [item for page in pages for item in page["Items"]]
            for item in sorted(items, key=lambda item: int(item["claimed"]["N"])):
                self._note_log(*(item[name]["S"] for name in ("step", "type", "name")))

    def _note_log(self, step: str, job_type: str, name: str) -> None:
        if group := _LOG_GROUPS.get(job_type):
            path = str(self.plan.state_dir / "logs/aws/sagemaker" / group / f"{name}.log")
            logs = self._logs.setdefault(step, [])
            logs += [path] * (path not in logs)

    def _end_jobs(self) -> None:
        """Stop the run's jobs and see them end, so that a run that is gone on with gets new ones."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            sweep(self.cloud.context)
            if not any(job.type in _LOG_GROUPS for job in self._open_jobs()):
                return
            time.sleep(LOOK_SECONDS)

    def _open_jobs(self) -> Iterator[Any]:
        """Yield the records of the jobs that the run waits for."""
        table: Any = importlib.import_module("tasks.jobs").job_table()
        yield from table.open_jobs(run_arn=self.plan.arn)

    def _explain(self, record: Record, execution: Mapping[str, Any]) -> Record:
        step = next((step.id for step in record.steps if step.status in {"FAILED", "ABORTED"}), None)
        message = self._localise(plain_cause(execution.get("cause")) or "no cause was given")
        where = self.plan.where(step)
        failure = Failure(
            step=step, where=where, error=execution.get("error") or record.status, message=message
        )
        return replace(record, failure=failure)

    def _localise(self, message: str) -> str:
        """Name datasets and logs by where a person finds them on this machine."""
        for dataset in self.plan.datasets:
            folder = f"{dataset.path}{'/' if dataset.path.is_dir() else ''}"
            message = message.replace(dataset.uri, folder)
        return CLOUD_LOG.sub(lambda match: f"log: {self.plan.state_dir}/logs{match[1]}.log", message)

    def _try_device(self, record: Record) -> Record:
        """Ask a device that serves models about the images held back from training."""
        manifests = [step.outputs.get("manifest") for step in record.steps]
        manifest = next((each for each in manifests if isinstance(each, dict)), None)
        serving = next(
            (
                device
                for device in self.cloud.greengrass.devices
                if predictions.SERVER in record.devices.get(device.thing, {}).get("components", {})
            ),
            None,
        )
        if not serving or not manifest:
            return record
        self.terminal.print("asking the device about images that training never saw")
        try:
            trial = predictions.predict_held_out(
                self.cloud.context,
                self.plan.usecase.account,
                manifest,
                endpoint=predictions.read_endpoint(serving.root),
                model=record.pipeline,
            )
        except (predictions.PredictionError, OSError) as error:
            failure = Failure(
                step=None, where=self.plan.where(None), error="PredictionError", message=str(error)
            )
            return replace(record, status="FAILED", failure=failure)
        return replace(record, trial=trial, now=self._now())

    def _device(self, thing: str) -> dict[str, Any]:
        greengrass = self._client("greengrassv2", self.plan.usecase.account)
        core = greengrass.get_core_device(coreDeviceThingName=thing)
        installed = greengrass.list_installed_components(coreDeviceThingName=thing, topologyFilter="ALL")
        components = {
            item["componentName"]: {"version": item["componentVersion"], "state": item["lifecycleState"]}
            for item in installed["installedComponents"]
        }
        return {"status": core["status"], "components": components}

    def _keep(self, record: Record) -> Record:
        """Copy what the run made out of the cloud; the record, written last, says that all is there."""
        self._find_logs()
        record = replace(record, logs=dict(self._logs))
        usecase, compiled = self.plan.usecase, self.plan.compiled
        prefix = f"runs/{compiled.pipeline.name}/{self.plan.run_id}/"
        write_artifacts(
            self._client("s3", usecase.account),
            usecase.results_bucket,
            prefix,
            self.plan.folder / "artifacts",
        )
        write_record(record)
        self.requests.forget()
        return record

    def _now(self) -> datetime:
        return moment(self.cloud.context.clock.now())

    def _client(self, service: str, account: str) -> Any:  # noqa: ANN401 - a boto3 client
        return self.cloud.context.client(service, account)


def _describe(job: Any, deadline: datetime) -> str:  # noqa: ANN401 - a record of the tasks
    """Return what a job is, in words, and when the step gives up."""
    until = f"until {deadline:%Y-%m-%d %H:%M:%S} UTC"
    if job.type == "approval":
        return f"a person's answer: {job.context['message']} ({until})"
    target = f" for {job.target}" if job.target else ""
    return f"{job.type} job {job.name}{target} ({until})"
