"""The zips that go to Lambda: same files, same bytes, so that an unchanged function is not deployed again."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from aws_cdk import aws_s3_assets as s3_assets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

ROOT = Path(__file__).resolve().parents[1]


def read_handlers() -> dict[str, bytes]:
    """Return name → content of every file that a platform handler consists of: tasks/ and nothing else."""
    return _read(ROOT, "tasks")


def read_account_handlers() -> dict[str, bytes]:
    """Return the files of the small functions that stacks bring along for deployments themselves."""
    return _read(ROOT / "stacks", "account_handlers")


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files at the top of one of our own .tar.gz assets."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {entry.name: file.read() for entry in files if (file := files.extractfile(entry))}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on names and contents only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16  # Lambda runs as another user, who must be able to read it
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def stage(scope: Construct, construct_id: str, *, name: str, content: bytes) -> s3_assets.Asset:
    """Put a file into the cloud assembly, from where a deployment uploads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return s3_assets.Asset(scope, construct_id, path=str(path))


def _read(root: Path, package: str) -> dict[str, bytes]:
    found = root.joinpath(package).rglob("*.py")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def read_local_server() -> dict[str, bytes]:
    """Return the shared component as the onboarding function carries it: recipe, version and program."""
    folder = ROOT / "edge_components" / "local_server"
    recipe = folder.joinpath("recipe.yaml").read_bytes()
    version = yaml.safe_load(recipe)["ComponentVersion"]
    found = [path for path in folder.rglob("*") if path.suffix in {".py", ".txt"}]
    program = {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in found}
    return {
        "recipe.yaml": recipe,
        "version.txt": str(version).encode(),
        "local_server.zip": pack(program),
    }
