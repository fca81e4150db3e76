"""`edgepipe run`: one pipeline, from its spec to a model answering on a virtual device, on this machine."""

from __future__ import annotations

import gc
import json
import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from local_cloud import interrupts, predictions
from local_cloud.approvals import Approvals, check_answers
from local_cloud.cloud import LocalCloud, local_cloud
from local_cloud.context import ORCHESTRATOR_ACCOUNT
from local_cloud.deployment import DeployedPipeline, deploy
from local_cloud.plan import Plan, UnavailableError, plan_run
from local_cloud.progress import Terminal, read_steps
from local_cloud.record import Failure, Record, render_summary, write_artifacts, write_record
from local_cloud.rules import rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["UnavailableError", "run_spec"]

EXIT_CODES = {"SUCCEEDED": 0, "ABORTED": 130}
EXIT_FAILED = 1
INTERRUPTED = "stopped by the person who ran it"
LOOK_SECONDS = 0.1
CLOUD_LOG = re.compile(r"log: (/aws/[^\s)]+)")


def run_spec(
    spec: Path,
    *,
    params: Mapping[str, str],
    state_dir: Path,
    output: Literal["text", "json"],
    serve: bool = False,
    answers: Mapping[str, bool] | None = None,
) -> int:
    """Run a spec in the local cloud and return the exit code: 0 succeeded, 1 failed, 130 interrupted.

    Progress goes to stderr, the summary or (`output` json) the run's record to stdout. With `serve` the
    device keeps answering until Ctrl-C. `answers` says yes or no to approve steps before they ask.
    Raises SpecError, ParameterError or UnavailableError before anything is started.
    """
    plan = plan_run(spec, params=params, state_dir=state_dir)
    check_answers(answers or {}, plan.approvals)
    terminal = Terminal(sys.stderr, live=sys.stderr.isatty())
    approvals = Approvals(
        answers=answers or {},
        folder=plan.folder / "approvals",
        terminal=terminal,
        stdin=sys.stdin if sys.stdin and sys.stdin.isatty() else None,
    )
    terminal.print(plan.run_id)
    with interrupts.raised(), local_cloud(state_dir) as cloud:
        record = LocalRun(cloud=cloud, plan=plan, terminal=terminal, approvals=approvals).execute()
        _report(record, output, terminal)
        if serve and record.status == "SUCCEEDED":
            terminal.print("the device answers until you press Ctrl-C")
            with interrupts.noted() as stop:
                stop.wait()
    gc.freeze()  # the interpreter's last collection would walk all service models: more than a second
    return EXIT_CODES.get(record.status, EXIT_FAILED)


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """One run inside a started local cloud."""

    cloud: LocalCloud
    plan: Plan
    terminal: Terminal
    approvals: Approvals

    def execute(self) -> Record:
        """Deploy the pipeline, follow one execution to its end, try the device, keep what the run made."""
        self.plan.folder.mkdir(parents=True)
        pipeline = deploy(self.cloud, self.plan)
        (self.plan.folder / "definition.json").write_text(pipeline.definition, encoding="utf-8")
        with rules(self.cloud.context):
            record = self._follow(pipeline)
        if any(step.kind == "deploy" and step.begun for step in record.steps):
            things = [device.thing for device in self.cloud.greengrass.devices]
            record = replace(record, devices={thing: self._device(thing) for thing in things})
        write_record(record)
        if record.status == "SUCCEEDED":
            record = self._try_device(record)
        self._keep(record)
        return record

    def _follow(self, pipeline: DeployedPipeline) -> Record:
        """Start the execution and show its steps until it has ended; Ctrl-C stops it."""
        states = self._client("stepfunctions", ORCHESTRATOR_ACCOUNT)
        started = states.start_execution(
            stateMachineArn=pipeline.arn,
            name=self.plan.run_id,
            input=json.dumps({"params": self.plan.params}),
        )
        arn = started["executionArn"]
        record = self._look(states, arn)
        write_record(record)
        with interrupts.noted() as stop:
            while record.status == "RUNNING":
                if stop.wait(LOOK_SECONDS):
                    states.stop_execution(executionArn=arn, error="Interrupted", cause=INTERRUPTED)
                elif any(step.kind == "approve" and step.status == "RUNNING" for step in record.steps):
                    self.approvals.look(arn)
                record = self._look(states, arn)
                self.terminal.show(record.steps, record.now)
        return record

    def _look(self, states: Any, arn: str) -> Record:  # noqa: ANN401 - a boto3 client
        execution = states.describe_execution(executionArn=arn)
        pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
        steps = read_steps((event for page in pages for event in page["events"]), self.plan.kinds)
        record = Record(
            run_id=self.plan.run_id,
            pipeline=self.plan.compiled.pipeline.name,
            status=execution["status"],
            steps=steps,
            folder=self.plan.folder,
            started=self.plan.started,
            now=datetime.now(UTC),
            devices={},
        )
        return record if execution["status"] in {"RUNNING", "SUCCEEDED"} else self._explain(record, execution)

    def _explain(self, record: Record, execution: Mapping[str, Any]) -> Record:
        step = next((step.id for step in record.steps if step.status in {"FAILED", "ABORTED"}), None)
        message = self._localise(execution.get("cause") or "no cause was given")
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
        return replace(record, trial=trial, now=datetime.now(UTC))

    def _device(self, thing: str) -> dict[str, Any]:
        greengrass = self._client("greengrassv2", self.plan.usecase.account)
        core = greengrass.get_core_device(coreDeviceThingName=thing)
        installed = greengrass.list_installed_components(coreDeviceThingName=thing, topologyFilter="ALL")
        components = {
            item["componentName"]: {"version": item["componentVersion"], "state": item["lifecycleState"]}
            for item in installed["installedComponents"]
        }
        return {"status": core["status"], "components": components}

    def _keep(self, record: Record) -> None:
        usecase, compiled = self.plan.usecase, self.plan.compiled
        prefix = f"runs/{compiled.pipeline.name}/{self.plan.run_id}/"
        write_artifacts(
            self._client("s3", usecase.account),
            usecase.results_bucket,
            prefix,
            self.plan.folder / "artifacts",
        )
        write_record(record)

    def _client(self, service: str, account: str) -> Any:  # noqa: ANN401 - a boto3 client
        return self.cloud.context.client(service, account)


def _report(record: Record, output: str, terminal: Terminal) -> None:
    summary = render_summary(record)
    if output == "json":
        terminal.print(summary)
        print(json.dumps(record.document(), indent=2), flush=True)
    else:
        print(summary, flush=True)
    if record.failure:
        terminal.print(record.failure.render())
