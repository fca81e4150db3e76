"""The two archives of a training job: the user's source, unpacked with suspicion, and the model, packed."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from local_cloud.sagemaker.errors import client_error

_MAX_BYTES = 512 * 1024**2
_MAX_MEMBERS = 10_000


def write_source(archive: IO[bytes], folder: Path) -> None:
    """Write the files of a `sourcedir.tar.gz` under `folder`.

    Raises JobFailedError for a broken archive, a link or device, a name that leads out of the folder, or too
    much of it.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            _write_members(tar, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        message = f"the source archive cannot be unpacked: {error}; it must be a tar.gz"
        raise client_error(message) from error


def build_archive(folder: Path) -> bytes | None:
    """Return the folder's files as a tar.gz, the same files giving the same bytes; None when it has none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if not files:
        return None
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in files:
            _add_file(tar, path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def _write_members(tar: tarfile.TarFile, folder: Path) -> None:
    total = 0
    for count, member in enumerate(tar):
        total += member.size
        if count >= _MAX_MEMBERS or total > _MAX_BYTES:
            message = f"the source archive holds more than {_MAX_MEMBERS} files or {_MAX_BYTES >> 20} MiB"
            raise client_error(message)
        if member.isdir():
            continue
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            message = f"the source archive holds {member.name!r}, which is neither a file nor a folder"
            raise client_error(message)
        target = _inside(folder, member.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)


def _inside(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        message = f"the source archive holds {name!r}, which leads out of its folder"
        raise client_error(message)
    return folder / path


def _add_file(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = path.stat().st_size
    entry.mode = 0o644
    with path.open("rb") as file:
        tar.addfile(entry, file)
