"""The bodies of S3 objects: files named by their digests, so that equal bodies are one file.

A body is whole before anything names it: it is written beside its place and renamed. What nothing names any
more is removed when the cloud opens.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Body:
    """A kept body, with what moto wants of a file; nothing of it stays in memory or open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def seek(self, position: int) -> None:
        """Read from there next."""
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, -1 for all."""
        with self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Let go of it; the file stays until the cloud opens again and nothing names it."""


class Bodies:
    """The folder of all bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, data: bytes) -> Body:
        """Keep a body, also when the process is killed right after."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._folder / digest[:2] / digest
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        return Body(path)

    def find(self, digest: str) -> Body:
        """Return a body by its digest."""
        return Body(self._folder / digest[:2] / digest)

    def remove_all_but(self, digests: Collection[str]) -> None:
        """Remove the bodies that nothing names, and what a killed process left half written."""
        for folder in self._folder.iterdir():
            for entry in os.scandir(folder):
                if entry.name not in digests:
                    Path(entry.path).unlink()
