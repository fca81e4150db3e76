"""Which program stands for a container image, as no images are pulled here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.sagemaker.errors import client_error

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS: Mapping[str, str] = {"edgepipe-optimize": "containers.optimize"}
"""The project's own images: repository name to the module that is the image's entry point."""


def repository(image: str) -> str:
    """Return an image's repository name without registry, folders, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def program(image: str) -> str:
    """Return the module that an image runs; raises JobFailedError for an image that is not ours."""
    module = PROGRAMS.get(repository(image))
    if module is None:
        message = (
            f"image {image} cannot run here: without containers only {', '.join(PROGRAMS)} is carried out; "
            "run this step on AWS"
        )
        raise client_error(message)
    return module
