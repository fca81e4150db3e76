"""Sheets of labelling jobs, and the answers to them, in the state folder's store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local_cloud.store import Store

_SHEETS = "labelling sheets"
ANSWERS = "labels of "


@dataclass(frozen=True, kw_only=True)
class Image:
    """One object of a job: its number in the manifest, its address and its file in the sheet's folder."""

    number: int
    uri: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A labelling job as those see it who label; `folder` is below the state folder.

    `run` and `step` are those that asked for it, empty for a job that no run made.
    """

    arn: str
    job: str
    title: str
    labels: tuple[str, ...]
    folder: str
    images: tuple[Image, ...]
    run: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The label that somebody gave an image; `at` is seconds since the epoch."""

    label: str
    by: str
    at: float

    @property
    def moment(self) -> datetime:
        """Return when it was given."""
        return datetime.fromtimestamp(self.at, UTC)


class Sheets:
    """The open sheets of a state folder and their answers; safe to use from several processes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_up(self, sheet: Sheet) -> None:
        """Show a sheet to whoever labels."""
        self._store.put(_SHEETS, sheet.arn, asdict(sheet))

    def take_down(self, arn: str) -> None:
        """Close a sheet: answers that are kept before this count."""
        self._store.delete(_SHEETS, arn)

    def find(self, arn: str) -> Sheet | None:
        """Return an open sheet, or None."""
        found = self._store.get(_SHEETS, arn)
        return None if found is None else _read(found)

    def open_sheets(self) -> Iterator[Sheet]:
        """Yield every open sheet."""
        for _, found in self._store.all(_SHEETS):
            yield _read(found)

    def answer(self, arn: str, answers: Mapping[int, Answer]) -> None:
        """Keep answers by the images' numbers; the last to an image counts."""
        bodies = {f"{number:08}": json.dumps(asdict(answer)).encode() for number, answer in answers.items()}
        self._store.change(ANSWERS + arn, bodies)

    def answers(self, arn: str) -> dict[int, Answer]:
        """Return the answers that are kept, by the images' numbers."""
        return {int(key): Answer(**found) for key, found in self._store.all(ANSWERS + arn)}

    def count(self, arn: str) -> int:
        """Return how many images have an answer."""
        return self._store.count(ANSWERS + arn)

    def forget(self, arn: str) -> None:
        """Drop a job's sheet and answers."""
        self.take_down(arn)
        self._store.clear(ANSWERS + arn)


def _read(found: Mapping[str, Any]) -> Sheet:
    images = tuple(Image(**each) for each in found["images"])
    return Sheet(**{**found, "labels": tuple(found["labels"]), "images": images})
