"""The components that every use case needs: publishing the LocalServer into its account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operations import archives
from operations.changes import Change
from operations.errors import OperationError, error_code
from operations.session import ask
from pipelines.plan import PLATFORM

if TYPE_CHECKING:
    from operations.session import Aws
    from pipelines.usecase import UseCase

COMPONENT = "com.edgepipe.LocalServer"
_FOLDER = PLATFORM / "edge_components" / "local_server"


def provision(there: Aws, usecase: UseCase) -> Change:
    """Publish this edgepipe's LocalServer, unless its version is there. Raises OperationError.

    The program is uploaded first: a version that exists has its artifact.
    """
    recipe = _FOLDER.joinpath("recipe.yaml").read_text(encoding="utf-8")
    version = read_version(recipe)
    what = f"component {COMPONENT} {version}"
    program = archives.pack(
        {
            f"local_server/{path.relative_to(_FOLDER).as_posix()}": path.read_bytes()
            for path in _FOLDER.rglob("*")
            if path.suffix in (".py", ".txt")
        }
    )
    key = f"components/{COMPONENT}/{version}/local_server.zip"
    greengrass = there.client("greengrassv2")
    arn = f"arn:aws:greengrass:{usecase.region}:{usecase.account}:components:{COMPONENT}:versions:{version}"
    if ask(greengrass.describe_component, "ResourceNotFoundException", arn=arn):
        return Change(what=what, action="unchanged")
    there.client("s3").put_object(Bucket=usecase.component_bucket, Key=key, Body=program)
    try:
        greengrass.create_component_version(
            inlineRecipe=recipe.replace("${component_bucket}", usecase.component_bucket).encode()
        )
    except Exception as error:
        if error_code(error) != "ConflictException":
            raise
        return Change(what=what, action="unchanged")
    return Change(what=what, action="created")


def read_version(recipe: str) -> str:
    """Return the version that a recipe says. Raises OperationError."""
    found = re.search(r"^ComponentVersion: *(\S+)$", recipe, re.MULTILINE)
    if found is None:
        message = f"the recipe of {COMPONENT} has no ComponentVersion: install edgepipe again"
        raise OperationError(message)
    return found[1]
