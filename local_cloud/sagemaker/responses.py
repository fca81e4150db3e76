"""The SageMaker operations that really run something; all others stay moto's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker import urls
from moto.sagemaker.responses import SageMakerResponse

from local_cloud.sagemaker.records import Owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.sagemaker.service import Family, SageMakerJobs

_ROUTE = "{0}/$"


class JobsResponse(SageMakerResponse):
    """Answers one request."""

    def __init__(self, jobs: SageMakerJobs) -> None:
        super().__init__()
        self._jobs = jobs

    def create_training_job(self) -> ActionResult:
        """Queue a training job."""
        return self._create(self._jobs.training, self.sagemaker_backend.training_jobs, "TrainingJobArn")

    def describe_training_job(self) -> ActionResult:
        """Describe a training job."""
        return self._describe(self._jobs.training, self.sagemaker_backend.training_jobs)

    def stop_training_job(self) -> ActionResult:
        """Stop a training job."""
        return self._stop(self._jobs.training, self.sagemaker_backend.training_jobs)

    def create_processing_job(self) -> ActionResult:
        """Queue a processing job."""
        return self._create(self._jobs.processing, self.sagemaker_backend.processing_jobs, "ProcessingJobArn")

    def describe_processing_job(self) -> ActionResult:
        """Describe a processing job."""
        return self._describe(self._jobs.processing, self.sagemaker_backend.processing_jobs)

    def stop_processing_job(self) -> ActionResult:
        """Stop a processing job."""
        return self._stop(self._jobs.processing, self.sagemaker_backend.processing_jobs)

    def add_tags(self) -> ActionResult:
        """Tag a resource; a job's tags are kept with it."""
        return self._keep_job(super().add_tags())

    def delete_tags(self) -> ActionResult:
        """Take tags off a resource; a job's are kept with it."""
        return self._keep_job(super().delete_tags())

    def _keep_job(self, result: ActionResult) -> ActionResult:
        arn = self._get_param("ResourceArn")
        for records in (self.sagemaker_backend.training_jobs, self.sagemaker_backend.processing_jobs):
            record: Any = records.get(arn.rsplit("/", 1)[-1])
            if record is not None and record.arn == arn:
                self._jobs.keep(record)
        return result

    def _create(self, family: Family, records: dict[str, Any], arn_field: str) -> ActionResult:
        owner = Owner(account=self.current_account, region=self.region)
        return ActionResult({arn_field: self._jobs.create(family, dict(self.params), records, owner)})

    def _describe(self, family: Family, records: dict[str, Any]) -> ActionResult:
        return ActionResult(self._jobs.describe(family, self._get_param(family.name_field), records))

    def _stop(self, family: Family, records: dict[str, Any]) -> ActionResult:
        self._jobs.stop(family, self._get_param(family.name_field), records)
        return EmptyResult()


def route(jobs: SageMakerJobs) -> None:
    """Send SageMaker requests to `JobsResponse`."""

    def answer(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - moto's handler signature
        return JobsResponse(jobs)._dispatch(*args, **kwargs)

    urls.url_paths[_ROUTE] = answer


def current_route() -> Callable[..., Any]:
    """Return where SageMaker requests go now."""
    handler: Callable[..., Any] = urls.url_paths[_ROUTE]
    return handler


def restore(handler: Callable[..., Any]) -> None:
    """Send SageMaker requests where they went before."""
    urls.url_paths[_ROUTE] = handler
