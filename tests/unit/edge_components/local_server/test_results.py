from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_components.local_server.errors import StorageError
from edge_components.local_server.results import Event, build_event, delete_parts, write_result

UNIQUE = uuid.UUID(int=0xABC)


def make_event(results: Path) -> Event:
    return build_event(
        results,
        model="m",
        version="1.0.0",
        extension="jpg",
        now=datetime(2026, 1, 19, 18, 25, 51, 999_999, tzinfo=UTC),
        unique=UNIQUE,
    )


def test_names_an_event() -> None:
    event = make_event(Path("/r"))
    assert event.metadata == {
        "eventId": f"m-{UNIQUE.hex}",
        "modelName": "m",
        "modelVersion": "1.0.0",
        "inferenceTime": "2026-01-19T18:25:51",
        "sourceRef": f"/r/m/m-{UNIQUE.hex}.jpg",
    }


def test_writes_a_pair(tmp_path: Path) -> None:
    write_result(make_event(tmp_path), b"image", b"{}")
    files = {path.suffix: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    assert files == {".jpg": b"image", ".jsonl": b"{}\n"}


def test_a_refused_line_takes_the_image_with_it(tmp_path: Path) -> None:
    event = make_event(tmp_path)
    event.image.with_suffix(".jsonl").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written below"):
        write_result(event, b"image", b"{}")
    assert [path.suffix for path in (tmp_path / "m").iterdir()] == [".jsonl"]


def test_a_results_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/m"):
        write_result(make_event(tmp_path / "file"), b"image", b"{}")


def test_clears_half_written_files(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in (".a.jpg.part", "a.jpg"):
        (tmp_path / "m" / name).touch()
    delete_parts(tmp_path)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["a.jpg"]
