"""The files that a deployment of the stacks uploads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import aws_s3_assets as s3_assets

from pipelines.packages import read_local_server, read_package

if TYPE_CHECKING:
    from constructs import Construct


def read_account_handlers() -> dict[str, bytes]:
    """Return the files of the small functions that stacks bring along for deployments themselves."""
    return read_package(Path(__file__).resolve().parent, "account_handlers")


def read_onboarding() -> dict[str, bytes]:
    """Return the files of the onboarding function, which carries the shared component with it."""
    component = read_local_server()
    return {
        **read_account_handlers(),
        "recipe.yaml": component.recipe.encode(),
        "version.txt": component.version.encode(),
        "local_server.zip": component.program,
    }


def stage(scope: Construct, construct_id: str, *, name: str, content: bytes) -> s3_assets.Asset:
    """Put a file into the cloud assembly, from where a deployment uploads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return s3_assets.Asset(scope, construct_id, path=str(path))
