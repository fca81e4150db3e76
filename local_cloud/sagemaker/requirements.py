"""Whether this environment has what a script's requirements.txt asks for.

SageMaker's containers install that file with pip before the script starts. A local run installs nothing: it
checks, and names what is missing. It does not look into extras, URLs or files that the file includes.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from local_cloud.sagemaker.errors import JobFailedError, client_error

if TYPE_CHECKING:
    from collections.abc import Callable


def check_requirements(text: str, installed: Callable[[str], str | None]) -> JobFailedError | None:
    """Return the failure of a job whose requirements are not met, or None; `installed` tells versions."""
    missing = [problem for line in _lines(text) if (problem := _problem(line, installed))]
    if not missing:
        return None
    return client_error(
        f"requirements.txt asks for what this environment lacks: {', '.join(missing)}. Local runs install "
        "nothing: install it beside edgepipe with pip, or drop it from requirements.txt if it is not needed"
    )


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = (line.split(" #")[0].strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _problem(line: str, installed: Callable[[str], str | None]) -> str | None:
    if line.startswith("-"):
        return f"{line!r} (options are not followed here)"
    try:
        requirement = Requirement(line.split(" --", maxsplit=1)[0])
    except InvalidRequirement:
        return f"{line!r} (not a requirement)"
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    version = installed(requirement.name)
    if version is None:
        return str(requirement)
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement} ({version} is installed)"
    return None
