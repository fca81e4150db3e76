"""An oracle answers labelling jobs in people's place: a file in which the labels stand already.

Each line is a JSON object with an image's address as `source-ref` and its class: in the form of Ground
Truth's output, or as a plain `label`. An image is known by its whole address, or else by the end of its path:
what it has beyond the folder that all of the oracle's images share, or a `source-ref` that is no address.
"""

from __future__ import annotations

import json
import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local_cloud.store import Store

ORACLES = "oracles"
_METADATA = "-metadata"
_SCHEME = "s3://"


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """What an oracle knows: labels by address, and by the ends of paths."""

    labels: Mapping[str, str]

    def answer(self, uri: str) -> str | None:
        """Return an image's label, or None where the oracle does not know it."""
        if uri in self.labels:
            return self.labels[uri]
        parts = uri.removeprefix(_SCHEME).split("/")[1:]
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self.labels[end] for end in ends if end in self.labels), None)


def read_oracle(path: Path) -> Oracle:
    """Return the oracle that a file holds; raises ParameterError naming the line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8: an oracle is a text file with one JSON object a line"
        raise ParameterError(message) from error
    known = [
        _line(path, number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()
    ]
    if not known:
        message = f"{path} is empty: an oracle has one JSON object a line, with source-ref and label"
        raise ParameterError(message)
    labels: dict[str, str] = {}
    for source, label in _ends(known):
        if labels.setdefault(source, label) != label:
            message = f"{path} gives {source} two labels: {labels[source]} and {label}"
            raise ParameterError(message)
    return Oracle(labels=labels)


def keep_oracle(store: Store, run_id: str, oracle: Oracle) -> None:
    """Let an oracle answer for a run's jobs, also when the run is gone on with by another process."""
    store.put(ORACLES, run_id, dict(oracle.labels))


def find_oracle(store: Store, run_id: str) -> Oracle | None:
    """Return the oracle that answers for a run's jobs, or None."""
    found = store.get(ORACLES, run_id)
    return None if found is None else Oracle(labels=found)


def _ends(known: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each source with its label, under its address and under the end of its path."""
    folders = [os.path.dirname(source) for source, _ in known if source.startswith(_SCHEME)]  # noqa: PTH120 - of an address
    shared = os.path.commonpath(folders) + "/" if folders else ""
    for source, label in known:
        yield source, label
        if source.startswith(_SCHEME):
            yield source.replace("//", "/", 1).removeprefix(shared), label


def _line(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        record = json.loads(line)
    except ValueError as error:
        message = f"{path}:{number} is not JSON: {error}"
        raise ParameterError(message) from error
    source, classes = (record.get("source-ref"), _classes(record)) if isinstance(record, dict) else (None, [])
    if not isinstance(source, str) or len(classes) != 1:
        message = (
            f"{path}:{number} should name an image and its one class, as in "
            '{"source-ref": "001.jpg", "label": "normal"} or as Ground Truth writes it'
        )
        raise ParameterError(message)
    return source, classes[0]


def _classes(record: Mapping[str, Any]) -> list[str]:
    named = [
        value["class-name"]
        for key, value in record.items()
        if key.endswith(_METADATA) and isinstance(value, dict) and isinstance(value.get("class-name"), str)
    ]
    plain = record.get("label")
    return named or ([plain] if isinstance(plain, str) else [])
