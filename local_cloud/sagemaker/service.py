"""SageMaker's job service: creates, describes and stops the jobs of every account and region."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound, ValidationError
from moto.sagemaker.models import sagemaker_backends

from local_cloud.sagemaker.errors import RefusedRequestError
from local_cloud.sagemaker.events import build_event
from local_cloud.sagemaker.jobs import Job, Places, Work
from local_cloud.sagemaker.layout import Machine, Root
from local_cloud.sagemaker.ledger import Ledger
from local_cloud.sagemaker.processing import ProcessingWork
from local_cloud.sagemaker.records import ENDED, JobRecord, Owner, ProcessingRecord, TrainingRecord
from local_cloud.sagemaker.requests import Request, parse_processing, parse_training
from local_cloud.sagemaker.storage import Storage
from local_cloud.sagemaker.training import TrainingWork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.context import Context

CONCURRENT_TRAININGS = 1
"""A training script uses every core, so a second one would only slow both down."""
_JOIN_SECONDS = 15.0
_AGAIN = "edgepipe: the process that ran this job ended before it, so it is started again\n"

Records = dict[str, Any]
"""Where moto keeps an account's jobs of one kind, by name."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What one kind of job needs to be served."""

    noun: str
    name_field: str
    arn_kind: str
    records: str
    """The attribute of moto's backend that holds the jobs."""
    log_group: str
    record: type[JobRecord]
    parse: Callable[[Request], Any]
    work: type[TrainingWork | ProcessingWork]
    places: Places
    jobs: dict[str, Job] = field(default_factory=dict)
    """The jobs by ARN."""


class SageMakerJobs:
    """The jobs of one local cloud; `close` ends them all."""

    def __init__(self, context: Context, machine: Machine, on_close: Callable[[], None]) -> None:
        self.training = Family(
            noun="training job",
            name_field="TrainingJobName",
            arn_kind="training-job",
            records="training_jobs",
            log_group="/aws/sagemaker/TrainingJobs",
            record=TrainingRecord,
            parse=parse_training,
            work=TrainingWork,
            places=Places(CONCURRENT_TRAININGS),
        )
        self.processing = Family(
            noun="processing job",
            name_field="ProcessingJobName",
            arn_kind="processing-job",
            records="processing_jobs",
            log_group="/aws/sagemaker/ProcessingJobs",
            record=ProcessingRecord,
            parse=parse_processing,
            work=ProcessingWork,
            places=Places(machine.cores),
        )
        self._context = context
        self._machine = machine
        self._on_close = on_close
        self._ledger = Ledger(context.store)
        self._lock = threading.Lock()
        self._closed = False

    def create(self, family: Family, request: Request, records: Records, owner: Owner) -> str:
        """Queue a job and return its ARN.

        Raises ResourceInUse for a name that exists and ValidationException for what cannot run here.
        """
        try:
            parsed = family.parse(request)
        except RefusedRequestError as error:
            raise ValidationError(message=str(error)) from error
        arn = owner.arn(family.arn_kind, parsed.name)
        record = family.record(request, name=parsed.name, arn=arn)
        with self._lock:
            if parsed.name in records:
                message = (
                    f"Job name must be unique within an AWS account and region, and a {family.noun} with"
                )
                raise ResourceInUseException(message=f"{message} this name already exists ({arn})")
            job = self._job(family, parsed, record, owner)
            self._ledger.keep(record)
            self._show(record, records)
            job.start()
        return arn

    def describe(self, family: Family, name: str, records: Mapping[str, Any]) -> dict[str, Any]:
        """Return the job's description; raises ValidationException for an unknown name, as AWS does."""
        if name not in records:
            raise ValidationError(message=f"Could not find requested job with name: {name}")
        described: dict[str, Any] = records[name].response_object
        return described

    def stop(self, family: Family, name: str, records: Mapping[str, Any]) -> None:
        """Begin to stop a job; raises ResourceNotFound or, for a job that has ended, ValidationException."""
        if name not in records:
            raise ResourceNotFound(message=f"Could not find requested job with name: {name}")
        record = records[name]
        if record.status in ENDED:
            message = f"The request was rejected because the {family.noun} is in status {record.status}."
            raise ValidationError(message=message)
        family.jobs[record.arn].stop()

    def reopen(self) -> None:
        """Put the jobs of earlier processes back into moto, which must have been started.

        Those that were under way begin again, from the request they were created with.
        """
        for record in self._ledger.records():
            family = self.training if isinstance(record, TrainingRecord) else self.processing
            owner = Owner.of(record.arn)
            backend = sagemaker_backends[owner.account][owner.region]
            self._show(record, getattr(backend, family.records))
            if record.status == "Stopping":
                record.end("Stopped")
            elif record.status not in ENDED:
                self._start_again(family, record, owner)

    def keep(self, record: JobRecord) -> None:
        """Keep a record that has been changed."""
        if (
            not self._closed
        ):  # what ends because the cloud closes has not ended: it begins again with the next
            self._ledger.keep(record)

    def close(self) -> None:
        """End every job and give the API back to moto; may be repeated."""
        with self._lock:
            self._closed = True
            jobs = [*self.training.jobs.values(), *self.processing.jobs.values()]
        for job in jobs:
            job.stop()
        for job in jobs:
            job.join(_JOIN_SECONDS)
        self._on_close()

    def _show(self, record: JobRecord, records: Records) -> None:
        record.keep = self.keep
        records[record.name] = record

    def _start_again(self, family: Family, record: JobRecord, owner: Owner) -> None:
        try:
            parsed = family.parse(record.request)
        except RefusedRequestError as error:  # an older edgepipe took it
            record.end("Failed", FailureReason=f"ClientError: {error}")
            return
        job = self._job(family, parsed, record, owner)
        self._log(family, record).write_text(_AGAIN, encoding="utf-8")
        record.enter("Starting")
        job.start()

    def _job(self, family: Family, parsed: Any, record: JobRecord, owner: Owner) -> Job:  # noqa: ANN401 - either request
        job = Job(
            self._work(family, parsed, record, owner),
            record,
            family.places,
            clock=self._context.clock,
            ended=lambda ended: self._announce(ended, owner),
        )
        family.jobs[record.arn] = job
        return job

    def _log(self, family: Family, record: JobRecord) -> Path:
        return self._context.log_path(family.log_group, record.name)

    def _work(self, family: Family, parsed: Any, record: JobRecord, owner: Owner) -> Work:  # noqa: ANN401 - either request
        folder = self._context.state_dir / "jobs" / record.name
        log = self._log(family, record)
        shutil.rmtree(folder, ignore_errors=True)
        log.unlink(missing_ok=True)

        def storage(interrupted: Callable[[], bool]) -> Storage:
            return Storage(self._context.client("s3", owner.account), interrupted)

        return family.work(
            parsed,
            arn=record.arn,
            root=Root(path=folder / "opt" / "ml"),
            machine=self._machine,
            log=log,
            storage=storage,
        )

    def _announce(self, record: JobRecord, owner: Owner) -> None:
        if not self._closed:
            self._context.emit(build_event(record, owner))


def this_machine(region: str) -> Machine:
    """Return what jobs take from the machine and environment of this process."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return Machine(
        path=programs,
        libraries=os.environ.get("LD_LIBRARY_PATH"),
        modules=str(Path(__file__).resolve().parents[2]),
        region=region,
        cores=os.cpu_count() or 1,
    )
