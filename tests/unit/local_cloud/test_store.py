"""store: what was written is there for the next process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import pytest

from local_cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state")
    yield opened
    opened.close()


def test_a_document_comes_back_as_it_was(store: Store) -> None:
    document = {"text": 'quotes " and \n lines', "number": 1.5, "list": [None, True, {}]}
    store.put("things", "a/b", document)
    assert store.get("things", "a/b") == document
    assert store.get("others", "a/b") is None


def test_a_later_document_replaces_the_one_before(store: Store) -> None:
    store.put("things", "a", 1)
    store.put("things", "a", 2)
    assert dict(store.all("things")) == {"a": 2}


def test_documents_come_in_the_order_of_their_keys(store: Store) -> None:
    for key in ("b", "c", "a"):
        store.put("things", key, key.upper())
    assert list(store.all("things")) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_what_was_deleted_is_gone(store: Store) -> None:
    store.put_bytes("things", "a", b"\x00\xff")
    assert store.get_bytes("things", "a") == b"\x00\xff"
    store.delete("things", "a")
    store.delete("things", "never there")
    assert store.get_bytes("things", "a") is None


def _write_and_die(folder: Path) -> None:
    Store(folder).put("things", "a", "kept")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_write_outlives_the_process_that_is_killed_right_after(tmp_path: Path) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(tmp_path,))
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.get("things", "a") == "kept"
    store.close()
