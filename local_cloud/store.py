"""What the local cloud remembers between commands: JSON documents and bytes in one SQLite file.

A write is kept before it returns, also when the process is killed right after. Other processes may read
at the same time; who writes holds the state folder's lock (see `lock`).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json: TypeAlias = Any
FILE_NAME = "cloud.db"
BUSY_SECONDS = 30.0
_SCHEMA = """
create table if not exists documents (
    collection text not null,
    key text not null,
    body blob not null,
    primary key (collection, key)
) without rowid
"""

_TABLES = "select name from sqlite_schema where name = 'documents'"


class Store:
    """The documents of one state folder, by collection and key; safe to call from any thread.

    Without `write` the folder need not allow any change, and one without a store is as an empty one.
    """

    def __init__(self, state_dir: Path, *, write: bool = True) -> None:
        self._lock = threading.Lock()
        if write:
            state_dir.mkdir(parents=True, exist_ok=True)
            self._connection = connect(state_dir / FILE_NAME)
        else:
            self._connection = _look(state_dir / FILE_NAME)
        if write or not self._connection.execute(_TABLES).fetchall():
            self._connection.execute(_SCHEMA)

    def put(self, collection: str, key: str, document: Json) -> None:
        """Keep a document (plain JSON), replacing the one before."""
        self.put_bytes(collection, key, json.dumps(document, separators=(",", ":")).encode())

    def put_bytes(self, collection: str, key: str, body: bytes) -> None:
        """Keep bytes, replacing those before."""
        with self._lock:
            self._connection.execute("replace into documents values (?, ?, ?)", (collection, key, body))

    def get(self, collection: str, key: str) -> Json | None:
        """Return a document, or None."""
        body = self.get_bytes(collection, key)
        return None if body is None else json.loads(body)

    def get_bytes(self, collection: str, key: str) -> bytes | None:
        """Return bytes, or None."""
        query = "select body from documents where collection = ? and key = ?"
        with self._lock:
            row = self._connection.execute(query, (collection, key)).fetchone()
        return None if row is None else row[0]

    def all(self, collection: str) -> Iterator[tuple[str, Json]]:
        """Yield a collection's keys and documents in the order of the keys."""
        for key, body in self.all_bytes(collection):
            yield key, json.loads(body)

    def all_bytes(self, collection: str) -> list[tuple[str, bytes]]:
        """Return a collection's keys and bytes in the order of the keys."""
        query = "select key, body from documents where collection = ? order by key"
        with self._lock:
            return self._connection.execute(query, (collection,)).fetchall()

    def count(self, collection: str) -> int:
        """Return how many documents a collection holds."""
        query = "select count(*) from documents where collection = ?"
        with self._lock:
            return int(self._connection.execute(query, (collection,)).fetchone()[0])

    def change(self, collection: str, documents: Mapping[str, bytes | None]) -> None:
        """Keep several bytes by key and forget the keys without any: all of them or, if killed, none."""
        kept = [(collection, key, body) for key, body in documents.items() if body is not None]
        gone = [(collection, key) for key, body in documents.items() if body is None]
        with self._lock:
            self._connection.execute("begin immediate")
            self._connection.executemany("replace into documents values (?, ?, ?)", kept)
            self._connection.executemany("delete from documents where collection = ? and key = ?", gone)
            self._connection.execute("commit")

    def collections(self, prefix: str) -> list[str]:
        """Return the collections that hold something and whose names begin with `prefix`, in order."""
        query = "select distinct collection from documents where substr(collection, 1, ?) = ? order by 1"
        with self._lock:
            return [row[0] for row in self._connection.execute(query, (len(prefix), prefix))]

    def clear(self, collection: str) -> None:
        """Forget a whole collection."""
        with self._lock:
            self._connection.execute("delete from documents where collection = ?", (collection,))

    def delete(self, collection: str, key: str) -> None:
        """Forget a document; nothing if there is none."""
        with self._lock:
            self._connection.execute(
                "delete from documents where collection = ? and key = ?", (collection, key)
            )

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        with self._lock:
            self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file whose commits survive the death of the process, with readers beside the writer.

    Facts: https://www.sqlite.org/wal.html (a commit under `synchronous=normal` may be lost with the
    machine's power, never with the process).
    """
    path.touch(mode=0o600)  # nobody else may write what this process will trust
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    return connection


def _look(path: Path) -> sqlite3.Connection:
    """Open a database file to read only; one that is not there, or holds nothing yet, is an empty one.

    Facts: https://www.sqlite.org/wal.html#readonly (a folder that cannot be written, and in which nobody
    writes, takes `immutable`).
    """
    if not path.exists() or not path.stat().st_size:
        return sqlite3.connect(":memory:", isolation_level=None)
    still = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
