"""The zips that go to Lambda and to devices: same files, same bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

from pipelines.plan import PLATFORM

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_handlers() -> dict[str, bytes]:
    """Return name → content of every file that the platform's handlers consist of."""
    found = PLATFORM.joinpath("tasks").rglob("*.py")
    return {path.relative_to(PLATFORM).as_posix(): path.read_bytes() for path in found}


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files of one of our own .tar.gz assets."""
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
