"""Turns a folder on this machine into an S3 prefix, so that a pipeline reads it as it reads any dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_cloud.context import Context

DIGEST_LENGTH = 12


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A local folder or file and the S3 address it gets in the use case's data bucket."""

    path: Path
    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """Return the address that a spec's parameter takes: a prefix for a folder, an object for a file."""
        return f"s3://{self.bucket}/{self.prefix}{'/' if self.path.is_dir() else ''}"


def plan_datasets(overrides: Mapping[str, str], bucket: str) -> dict[str, Dataset]:
    """Return, by parameter name, the overrides that name an existing local path, not an s3:// address."""
    paths = {name: Path(value) for name, value in overrides.items() if "://" not in value}
    return {name: _plan(path, bucket) for name, path in paths.items() if path.exists()}


def upload(context: Context, account: str, dataset: Dataset) -> int:
    """Copy the dataset's files to S3 and return how many there were; hidden files stay behind."""
    s3 = context.client("s3", account)
    files = _files(dataset.path)
    for path in files:
        key = (
            f"{dataset.prefix}/{path.relative_to(dataset.path).as_posix()}"
            if dataset.path.is_dir()
            else dataset.prefix
        )
        s3.upload_file(str(path), dataset.bucket, key)
    return len(files)


def _plan(path: Path, bucket: str) -> Dataset:
    path = path.resolve()
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    name = digest.hexdigest()[:DIGEST_LENGTH]
    suffix = "" if path.is_dir() else f"/{path.name}"
    return Dataset(path=path, bucket=bucket, prefix=f"datasets/{name}{suffix}")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
