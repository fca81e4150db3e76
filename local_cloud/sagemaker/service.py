"""SageMaker's job service: creates, describes, lists and stops the jobs of every account and region."""

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

from local_cloud.labelling.sheets import Sheets
from local_cloud.sagemaker.annotation import LabelingWork
from local_cloud.sagemaker.errors import RefusedRequestError
from local_cloud.sagemaker.events import build_event
from local_cloud.sagemaker.jobs import Job, Places, Work
from local_cloud.sagemaker.labeling import LabelingRequest, parse_labeling
from local_cloud.sagemaker.labeling_jobs import LabelingJob, LabelingRecord
from local_cloud.sagemaker.layout import Machine, Root
from local_cloud.sagemaker.ledger import Ledger
from local_cloud.sagemaker.processing import ProcessingWork
from local_cloud.sagemaker.records import ENDED, JobRecord, Owner, ProcessingRecord, TrainingRecord
from local_cloud.sagemaker.requests import Request, parse_processing, parse_training
from local_cloud.sagemaker.storage import Storage
from local_cloud.sagemaker.training import TrainingWork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.sagemaker.models import SageMakerModelBackend

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
    work: type[TrainingWork | ProcessingWork] | None = None
    """What its program does; a labelling job has none."""
    places: Places = field(default_factory=lambda: Places(1))
    unknown: Callable[..., Exception] = ValidationError
    """What DescribeJob answers for a name that is not there."""
    jobs: dict[str, Job | LabelingJob] = field(default_factory=dict)
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
        self.labeling = Family(
            noun="labeling job",
            name_field="LabelingJobName",
            arn_kind="labeling-job",
            records="labeling_jobs",
            log_group="/aws/sagemaker/LabelingJobs",
            record=LabelingRecord,
            parse=parse_labeling,
            unknown=ResourceNotFound,
        )
        self._context = context
        self._machine = machine
        self._on_close = on_close
        self._ledger = Ledger(context.store)
        self._lock = threading.Lock()
        self._closed = False

    @property
    def families(self) -> tuple[Family, ...]:
        """The kinds of jobs that there are."""
        return self.training, self.processing, self.labeling

    def create(self, family: Family, request: Request, records: Records, owner: Owner) -> str:
        """Queue a job and return its ARN.

        Raises ResourceInUse for a name that exists and ValidationException for what cannot run here.
        """
        try:
            return self._begin(family, request, records, owner)
        except RefusedRequestError as error:
            raise ValidationError(message=str(error)) from error

    def _begin(self, family: Family, request: Request, records: Records, owner: Owner) -> str:
        parsed = family.parse(request)
        arn = owner.arn(family.arn_kind, parsed.name)
        record = family.record(request, name=parsed.name, arn=arn)
        with self._lock:
            if parsed.name in records:
                message = (
                    f"Job name must be unique within an AWS account and region, and a {family.noun} with"
                )
                raise ResourceInUseException(message=f"{message} this name already exists ({arn})")
            job = self._job(family, parsed, record, owner)
            if self._context.store is not None:
                Sheets(self._context.store).forget(arn)
            self._ledger.keep(record)
            self._show(record, records)
            job.start()
        return arn

    def describe(self, family: Family, name: str, records: Mapping[str, Any]) -> dict[str, Any]:
        """Return the job's description; raises what AWS answers for an unknown name."""
        if name not in records:
            raise family.unknown(message=f"Could not find requested job with name: {name}")
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
            family = next(each for each in self.families if type(record) is each.record)
            owner = Owner.of(record.arn)
            self._show(record, jobs_of(sagemaker_backends[owner.account][owner.region], family))
            if record.status == "Stopping" and family is not self.labeling:
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
            jobs = [job for family in self.families for job in family.jobs.values()]
        for job in jobs:
            job.leave()
        for job in jobs:
            job.join(_JOIN_SECONDS)
        self._on_close()

    def _show(self, record: JobRecord, records: Records) -> None:
        record.keep = self.keep
        records[record.name] = record

    def _start_again(self, family: Family, record: JobRecord, owner: Owner) -> None:
        try:
            parsed = family.parse({**record.request, "Tags": record.tags})
        except RefusedRequestError as error:  # an older edgepipe took it
            record.end("Failed", FailureReason=f"ClientError: {error}")
            return
        job = self._job(family, parsed, record, owner)
        self._log(family, record).write_text(_AGAIN, encoding="utf-8")
        record.enter("Starting")
        job.start()

    def _job(self, family: Family, parsed: Any, record: JobRecord, owner: Owner) -> Job | LabelingJob:  # noqa: ANN401 - any request
        def ended(record: JobRecord) -> None:
            self._announce(record, owner)

        clock = self._context.clock
        job: Job | LabelingJob
        if isinstance(record, LabelingRecord):
            job = LabelingJob(self._labels(family, parsed, record, owner), record, clock=clock, ended=ended)
        else:
            work = self._work(family, parsed, record, owner)
            job = Job(work, record, family.places, clock=clock, ended=ended)
        family.jobs[record.arn] = job
        return job

    def _log(self, family: Family, record: JobRecord) -> Path:
        return self._context.log_path(family.log_group, record.name)

    def _work(self, family: Family, parsed: Any, record: JobRecord, owner: Owner) -> Work:  # noqa: ANN401 - either request
        if family.work is None:
            message = f"a {family.noun} runs no program"
            raise TypeError(message)
        return family.work(
            parsed,
            arn=record.arn,
            root=Root(path=self._cleared(family, record) / "opt" / "ml"),
            machine=self._machine,
            log=self._log(family, record),
            storage=self._storage(owner),
        )

    def _labels(
        self, family: Family, parsed: LabelingRequest, record: JobRecord, owner: Owner
    ) -> LabelingWork:
        return LabelingWork(
            parsed,
            arn=record.arn,
            folder=self._cleared(family, record),
            context=self._context,
            log=self._log(family, record),
            storage=self._storage(owner),
        )

    def _cleared(self, family: Family, record: JobRecord) -> Path:
        """Return a job's folder without what an earlier life of the job left there, nor in its log."""
        folder = self._context.state_dir / "jobs" / record.name
        shutil.rmtree(folder, ignore_errors=True)
        self._log(family, record).unlink(missing_ok=True)
        return folder

    def _storage(self, owner: Owner) -> Callable[[Callable[[], bool]], Storage]:
        return lambda interrupted: Storage(self._context.client("s3", owner.account), interrupted)

    def _announce(self, record: JobRecord, owner: Owner) -> None:
        if not self._closed:
            self._context.emit(build_event(record, owner))


def jobs_of(backend: SageMakerModelBackend, family: Family) -> Records:
    """Return where moto keeps an account's jobs of a kind; it has no place of its own for labelling jobs."""
    found: Records = vars(backend).setdefault(family.records, {})
    return found


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
