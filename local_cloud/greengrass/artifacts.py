"""A device's copies of artifacts: fetched from S3, compared with what the registry saw, archives unpacked."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from . import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .recipe import Artifact

ALGORITHM = "SHA-256"
MAX_FILES = 100_000
MAX_UNARCHIVED_BYTES = 8 * 1024**3
"""Bounds on what an archive may unpack to; AWS itself bounds the archives of a component at 2 GB."""

_BLOCK = 1024 * 1024


def _at_once() -> None:
    """Let a download begin."""


class ArtifactStore:
    """The folders `packages/artifacts` and `packages/artifacts-unarchived` below a device's root."""

    def __init__(self, root: Path, s3: Any) -> None:  # noqa: ANN401 - boto3 clients are made at run time
        self._root = root / "packages"
        self._s3 = s3
        self._remove_unfinished()

    def folder(self, name: str, version: str) -> Path:
        """Return where the artifacts of a component version lie."""
        return self._root / "artifacts" / name / version

    def unarchived(self, name: str, version: str) -> Path:
        """Return where the unpacked archives lie, each in a folder named as its archive."""
        return self._root / "artifacts-unarchived" / name / version

    def load(
        self,
        name: str,
        version: str,
        artifact: Artifact,
        digest: str,
        *,
        before_fetch: Callable[[], None] = _at_once,
    ) -> None:
        """Make sure that an artifact with this digest is here, and unpacked if the recipe says so.

        `before_fetch` is called when it has to be downloaded; what it raises stops the download.
        Files of an earlier life with the same name but other bytes are replaced. Raises DeploymentError when
        the artifact cannot be fetched, differs from the digest, or is an archive that must not be unpacked.
        """
        path = self.folder(name, version) / artifact.file_name
        if not (path.is_file() and file_digest(path) == digest):
            before_fetch()
            self._fetch(artifact, path, digest)
        if artifact.unarchive:
            self._unpack(artifact, path, self.unarchived(name, version) / path.stem, digest)

    def remove(self, name: str, version: str) -> None:
        """Delete what is stored for a component version."""
        for folder in (self.folder(name, version), self.unarchived(name, version)):
            if folder.exists():
                shutil.rmtree(folder)

    def _remove_unfinished(self) -> None:
        """Remove what a killed process had not wholly fetched or unpacked."""
        for path in self._root.glob("artifacts/*/*/.fetch-*"):
            path.unlink()
        for path in self._root.glob("artifacts-unarchived/*/*/.unpack-*"):
            shutil.rmtree(path)

    def _fetch(self, artifact: Artifact, path: Path, digest: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetch-", delete=False) as file:
            partial = Path(file.name)
            try:
                found = copy_object(self._s3, artifact, file)
            except (BotoCoreError, ClientError, OSError) as error:
                partial.unlink()
                message = f"artifact {artifact.uri} cannot be downloaded: {error}"
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise errors.disk_full(message) from error
                raise errors.bad_artifact(message, "S3_ERROR") from error
        if found != digest:
            partial.unlink()
            message = f"artifact {artifact.uri} changed after it was published; publish a new version"
            raise errors.bad_artifact(message, "ARTIFACT_CHECKSUM_MISMATCH")
        partial.chmod(0o755 if artifact.executable else 0o644)
        partial.replace(path)

    def _unpack(self, artifact: Artifact, archive: Path, folder: Path, digest: str) -> None:
        # The mark is written last, beside the folder: it says which archive the folder is a whole copy of.
        mark = folder.parent / f".{folder.name}.digest"
        if folder.is_dir() and mark.is_file() and mark.read_text() == digest:
            return
        mark.unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as temporary:
            fresh = Path(temporary) / "content"
            fresh.mkdir()
            try:
                unpack(archive, fresh, mode=0o755 if artifact.executable else 0o644)
            except (ValueError, OSError, zipfile.BadZipFile) as error:
                message = f"artifact {artifact.uri} cannot be unpacked: {error}"
                raise errors.bad_artifact(message, "ARTIFACT_UNARCHIVE_ERROR") from error
            fresh.replace(folder)
        mark.write_text(digest)


def copy_object(s3: Any, artifact: Artifact, file: Any) -> str:  # noqa: ANN401 - a boto3 client, a binary file
    """Copy an artifact's bytes into an open file, unless that is None, and return their digest."""
    digest = hashlib.sha256()
    body = s3.get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"]
    for block in body.iter_chunks(_BLOCK):
        digest.update(block)
        if file is not None:
            file.write(block)
    return base64.b64encode(digest.digest()).decode()


def file_digest(path: Path) -> str:
    """Return a file's digest as recipes carry it: base64 of SHA-256."""
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()


def unpack(archive: Path, folder: Path, *, mode: int) -> None:
    """Unpack a ZIP file into an empty folder; every file gets the permission bits `mode`.

    Refuses, before anything is written: names that leave the folder, links and other special files, names
    that appear twice, more than MAX_FILES members or MAX_UNARCHIVED_BYTES bytes. Raises ValueError naming
    the member, zipfile.BadZipFile, or OSError, also when one name is both a file and a folder.
    """
    with zipfile.ZipFile(archive) as bundle:
        for member, path in list(_checked(bundle.infolist())):
            target = folder / path
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # zipfile reads no more than the declared size, which has been counted.
            with bundle.open(member) as source, target.open("xb") as copy:
                shutil.copyfileobj(source, copy, _BLOCK)
            target.chmod(mode)


def _checked(members: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    if len(members) > MAX_FILES:
        message = f"it has {len(members)} members; the limit is {MAX_FILES}"
        raise ValueError(message)
    total = sum(member.file_size for member in members)
    if total > MAX_UNARCHIVED_BYTES:
        message = f"it unpacks to {total} bytes; the limit is {MAX_UNARCHIVED_BYTES}"
        raise ValueError(message)
    seen: set[PurePosixPath] = set()
    for member in members:
        path = _safe_path(member)
        if path in seen:
            message = f"it has the member {member.filename!r} twice"
            raise ValueError(message)
        seen.add(path)
        yield member, path


def _safe_path(member: zipfile.ZipInfo) -> PurePosixPath:
    name = member.filename
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts
    if unsafe or (os.name == "nt" and ":" in name):
        message = f"the member {name!r} would be written outside its folder"
        raise ValueError(message)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        message = f"the member {name!r} is a link or a special file"
        raise ValueError(message)
    return path
