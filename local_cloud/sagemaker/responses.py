"""The SageMaker operations that really run something; all others stay moto's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker import urls
from moto.sagemaker.responses import SageMakerResponse

from local_cloud.sagemaker.labeling_jobs import list_jobs
from local_cloud.sagemaker.records import Owner
from local_cloud.sagemaker.service import jobs_of

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
        return self._create(self._jobs.training)

    def describe_training_job(self) -> ActionResult:
        """Describe a training job."""
        return self._describe(self._jobs.training)

    def stop_training_job(self) -> ActionResult:
        """Stop a training job."""
        return self._stop(self._jobs.training)

    def create_processing_job(self) -> ActionResult:
        """Queue a processing job."""
        return self._create(self._jobs.processing)

    def describe_processing_job(self) -> ActionResult:
        """Describe a processing job."""
        return self._describe(self._jobs.processing)

    def stop_processing_job(self) -> ActionResult:
        """Stop a processing job."""
        return self._stop(self._jobs.processing)

    def create_labeling_job(self) -> ActionResult:
        """Begin a labelling job."""
        return self._create(self._jobs.labeling)

    def describe_labeling_job(self) -> ActionResult:
        """Describe a labelling job."""
        return self._describe(self._jobs.labeling)

    def list_labeling_jobs(self) -> ActionResult:
        """List labelling jobs, a page at a time."""
        return ActionResult(list_jobs(self._records(self._jobs.labeling).values(), self.params))

    def stop_labeling_job(self) -> ActionResult:
        """Stop a labelling job."""
        return self._stop(self._jobs.labeling)

    def list_tags(self) -> ActionResult:
        """List a resource's tags; moto knows no labelling jobs."""
        record = self._labeling_job()
        return super().list_tags() if record is None else ActionResult({"Tags": list(record.tags)})

    def add_tags(self) -> ActionResult:
        """Tag a resource; a job's tags are kept with it."""
        record = self._labeling_job()
        if record is None:
            return self._keep_job(super().add_tags())
        given = self._get_param("Tags")
        named = {tag["Key"] for tag in given}
        record.tags = [*(tag for tag in record.tags if tag["Key"] not in named), *given]
        return self._keep_job(ActionResult({"Tags": record.tags}))

    def delete_tags(self) -> ActionResult:
        """Take tags off a resource; a job's are kept with it."""
        record = self._labeling_job()
        if record is None:
            return self._keep_job(super().delete_tags())
        record.tags = [tag for tag in record.tags if tag["Key"] not in self._get_param("TagKeys")]
        return self._keep_job(EmptyResult())

    def _labeling_job(self) -> Any:  # noqa: ANN401 - a record, or None
        arn = str(self._get_param("ResourceArn"))
        record = self._records(self._jobs.labeling).get(arn.rsplit("/", 1)[-1])
        return record if record is not None and record.arn == arn else None

    def _keep_job(self, result: ActionResult) -> ActionResult:
        arn = self._get_param("ResourceArn")
        for family in self._jobs.families:
            record: Any = self._records(family).get(arn.rsplit("/", 1)[-1])
            if record is not None and record.arn == arn:
                self._jobs.keep(record)
        return result

    def _create(self, family: Family) -> ActionResult:
        owner = Owner(account=self.current_account, region=self.region)
        arn = self._jobs.create(family, dict(self.params), self._records(family), owner)
        return ActionResult({f"{family.record.kind}JobArn": arn})

    def _describe(self, family: Family) -> ActionResult:
        name = self._get_param(family.name_field)
        return ActionResult(self._jobs.describe(family, name, self._records(family)))

    def _stop(self, family: Family) -> ActionResult:
        self._jobs.stop(family, self._get_param(family.name_field), self._records(family))
        return EmptyResult()

    def _records(self, family: Family) -> dict[str, Any]:
        return jobs_of(self.sagemaker_backend, family)


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
