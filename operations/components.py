"""The components that every use case needs: publishing the LocalServer into its account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.changes import Change
from operations.errors import error_code
from operations.session import ask
from pipelines import packages

if TYPE_CHECKING:
    from operations.session import Aws
    from pipelines.usecase import UseCase


def provision(there: Aws, usecase: UseCase) -> Change:
    """Publish this edgepipe's LocalServer, unless its version is there. Raises OperationError.

    The program is uploaded first: a version that exists has its artifact.
    """
    component = packages.read_local_server()
    what = f"component {component.name} {component.version}"
    greengrass = there.client("greengrassv2")
    arn = component.arn(region=usecase.region, account=usecase.account)
    if ask(greengrass.describe_component, "ResourceNotFoundException", arn=arn):
        return Change(what=what, action="unchanged")
    bucket = usecase.component_bucket
    there.client("s3").put_object(Bucket=bucket, Key=component.key, Body=component.program)
    try:
        greengrass.create_component_version(inlineRecipe=component.recipe_for(bucket))
    except Exception as error:
        if error_code(error) != "ConflictException":
            raise
        return Change(what=what, action="unchanged")
    return Change(what=what, action="created")
