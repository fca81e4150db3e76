"""Result files: `<results>/<model>/<event id>.jpg|png` and `.jsonl`, for the uploader to find.

A pair appears image first, metadata last, each by one rename, so a `.jsonl` always has its image and no
reader meets half a file. Files are not synced to the disk: a power cut may cost the last few results.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .errors import StorageError
from .workfolder import write_atomically


@dataclass(frozen=True, kw_only=True)
class Event:
    """One prediction's identity, fixed before the engine is asked."""

    id: str
    model: str
    version: str
    time: str
    image: Path

    @property
    def metadata(self) -> dict[str, str]:
        """What the model's `metadata` input holds."""
        return {
            "eventId": self.id,
            "modelName": self.model,
            "modelVersion": self.version,
            "inferenceTime": self.time,
            "sourceRef": str(self.image),
        }


def build_event(
    results: Path, *, model: str, version: str, extension: str, now: datetime, unique: uuid.UUID
) -> Event:
    """Name a prediction; `now` must be in UTC, and is written to the second as the metadata format has it."""
    identity = f"{model}-{unique.hex}"
    return Event(
        id=identity,
        model=model,
        version=version,
        time=now.strftime("%Y-%m-%dT%H:%M:%S"),
        image=results / model / f"{identity}.{extension}",
    )


def write_result(event: Event, image: bytes, line: bytes) -> None:
    """Write the image, then its line; StorageError where the disk refuses, leaving neither file."""
    try:
        event.image.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(event.image, image)
        _write_line(event, line)
    except OSError as error:
        message = f"the result cannot be written below {event.image.parent}: {error.strerror or error}"
        raise StorageError(message) from error


def _write_line(event: Event, line: bytes) -> None:
    try:
        write_atomically(event.image.with_suffix(".jsonl"), line + b"\n")
    except OSError:
        event.image.unlink(missing_ok=True)
        raise


def delete_parts(results: Path) -> None:
    """Remove what a killed server left half written."""
    for part in results.glob("*/.*.part"):
        part.unlink(missing_ok=True)
