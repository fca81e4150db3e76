"""SageMaker training and processing jobs that really run, as child processes behind moto's SageMaker API.

Training: the script mode of the framework images. Processing: the project's own programs in `containers/`.
Jobs are kept in the state folder; what was under way when a process ended begins again with the next.
No containers: a job runs in this environment's Python and installs nothing. Inputs in File mode only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.sagemaker.responses import current_route, restore, route
from local_cloud.sagemaker.service import SageMakerJobs, this_machine

if TYPE_CHECKING:
    from local_cloud.context import Context

__all__ = ["SageMakerJobs", "install"]


def install(context: Context) -> SageMakerJobs:
    """Put the job service behind moto's SageMaker API; to be called before `mock_aws` starts."""
    before = current_route()
    jobs = SageMakerJobs(context, this_machine(context.region), on_close=lambda: restore(before))
    route(jobs)
    return jobs
