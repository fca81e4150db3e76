"""The engine's file: state machines, executions, and what each execution has come to.

One connection writes; other processes may read at the same time (see `archive`). Texts of users are kept
as JSON, because SQLite refuses some that JSON allows.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from local_cloud.engine.checkpoints import BACKSTOP_PAGES, Checkpoints
from local_cloud.store import BUSY_SECONDS, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local_cloud.engine.expression import Json

FILE_NAME = "runs.db"
Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
_SCHEMA = """
create table if not exists machines (arn text primary key, body text not null) without rowid;
create table if not exists definitions (digest text primary key, text text not null) without rowid;
create table if not exists executions (
    number integer primary key,
    arn text not null unique,
    machine text not null,
    parent text,
    status text not null,
    definition text not null,
    facts text not null,
    ending text not null
);
create index if not exists executions_of_machine on executions (machine);
create index if not exists executions_by_status on executions (status);
create index if not exists executions_by_parent on executions (parent) where parent is not null;
create table if not exists entries (
    execution integer not null, number integer not null, body text not null,
    primary key (execution, number)
) without rowid;
create view if not exists records as
    select number, arn, machine, parent, status, facts, ending, text
    from executions join definitions on digest = definition;
"""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an execution stands; `stopped` and `redriven` are epoch seconds, `output` JSON text."""

    status: Status = "RUNNING"
    stopped: float | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    redriven: float | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One execution as it is kept; `started` is epoch seconds."""

    arn: str
    machine: str
    machine_name: str
    name: str
    input_text: str
    definition: str
    role_arn: str
    started: float
    version: str | None = None
    alias: str | None = None
    """The ARN it was started by, if that was a version's or an alias's."""
    origin: str | None = None
    """The name of the call that started it."""
    parent: str | None = None
    """The ARN of the execution that waits for it."""
    ending: Ending = field(default_factory=Ending)
    number: int = 0


@contextmanager
def reading(path: Path) -> Iterator[Runs]:
    """Give the runs of a file to read only; of a file that is not there, none."""
    runs = Runs(path if path.exists() else None, write=False)
    try:
        yield runs
    finally:
        runs.close()


class Batch(list[tuple[int, int, str]]):
    """Entries that are kept in one transaction: execution, number, text."""

    kept = False


class Runs:
    """The kept state of all accounts; safe to call from any thread."""

    def __init__(self, path: Path | None, *, write: bool = True) -> None:
        self._lock, self._gathering = threading.Lock(), threading.Lock()
        self._batch = Batch()
        self._connection = _open(path, write=write)
        self._checkpoints = Checkpoints(path) if path is not None and write else None
        if self._checkpoints is not None:
            self._connection.execute(f"pragma wal_autocheckpoint = {BACKSTOP_PAGES}")
        if write or path is None:
            self._connection.executescript(_SCHEMA)

    def add(self, record: Record) -> Record:
        """Keep a new execution and return it with its number."""
        digest = sha256(record.definition.encode(errors="surrogatepass")).hexdigest()
        facts = {name: getattr(record, name) for name in _FACTS}
        row = (
            record.arn,
            record.machine,
            record.parent,
            "RUNNING",
            digest,
            _text(facts),
            _text(asdict(record.ending)),
        )
        with self._lock, self._connection:
            self._connection.execute("begin immediate")
            self._connection.execute(
                "insert or ignore into definitions values (?, ?)", (digest, _text(record.definition))
            )
            cursor = self._connection.execute(
                "insert into executions values (null, ?, ?, ?, ?, ?, ?, ?)", row
            )
        return replace(record, number=int(cursor.lastrowid or 0))

    def append(self, execution: int, number: int, entry: str) -> None:
        """Keep an entry of an execution; those that come while others are written are kept together."""
        with self._gathering:
            batch = self._batch
            batch.append((execution, number, entry))
        with self._lock:
            if not batch.kept:
                self._insert(batch)

    def _insert(self, batch: Batch) -> None:
        """Keep a batch; one that fails is tried again by the next who has an entry in it."""
        with self._gathering:
            if self._batch is batch:
                self._batch = Batch()
        # A single statement is a transaction of its own, and lets go of Python once instead of four times.
        rows = ", ".join(["(?, ?, ?)"] * len(batch))
        values = [value for row in batch for value in row]
        self._connection.execute(f"replace into entries values {rows}", values)  # noqa: S608 - question marks
        batch.kept = True
        if self._checkpoints is not None:
            self._checkpoints.note()

    def settle(self, execution: int, ending: Ending, number: int, entry: str | None) -> None:
        """Keep how an execution stands now, and an entry, together."""
        with self._lock, self._connection:
            self._connection.execute("begin immediate")
            self._connection.execute(
                "update executions set status = ?, ending = ? where number = ?",
                (ending.status, _text(asdict(ending)), execution),
            )
            if entry is not None:
                self._connection.execute("insert into entries values (?, ?, ?)", (execution, number, entry))

    def entries(self, execution: int) -> list[str]:
        """Return an execution's entries in their order."""
        query = "select body from entries where execution = ? order by number"
        return [row[0] for row in self._read(query, execution)]

    def find(self, arn: str) -> Record | None:
        """Return an execution, or None."""
        rows = self._read("select * from records where arn = ?", arn)
        return _record(rows[0]) if rows else None

    def all(self, *, machine: str | None = None, status: str | None = None) -> list[Record]:
        """Return executions, newest first."""
        query = """select * from records
            where machine = ifnull(?, machine) and status = ifnull(?, status) order by number desc"""
        return [_record(row) for row in self._read(query, machine, status)]

    def children(self, arn: str) -> list[Record]:
        """Return the running executions that an execution waits for."""
        query = "select * from records where status = 'RUNNING' and parent = ?"
        return [_record(row) for row in self._read(query, arn)]

    def forget(self, names: Sequence[str]) -> None:
        """Forget the executions of these names, with all that they came to."""
        with self._lock, self._connection:
            self._connection.execute("begin immediate")
            self._connection.executemany(_FORGET, [(name,) for name in names])
            self._connection.execute(
                "delete from entries where execution not in (select number from executions)"
            )
            self._connection.execute(
                "delete from definitions where digest not in (select definition from executions)"
            )

    def put_machine(self, arn: str, body: Json) -> None:
        """Keep a state machine, with its versions and aliases, replacing the one before."""
        with self._lock:
            self._connection.execute("replace into machines values (?, ?)", (arn, _text(body)))

    def drop_machine(self, arn: str) -> None:
        """Forget a state machine; its executions stay."""
        with self._lock:
            self._connection.execute("delete from machines where arn = ?", (arn,))

    def machines(self) -> list[Json]:
        """Return every state machine, by ARN."""
        return [json.loads(row[0]) for row in self._read("select body from machines order by arn")]

    def places(self) -> set[tuple[str, str]]:
        """Return the regions and accounts that have a machine or a running execution."""
        rows = self._read(
            "select arn from machines union select arn from executions where status = 'RUNNING'"
        )
        parts = [arn.split(":") for (arn,) in rows]
        return {(part[3], part[4]) for part in parts}

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        with self._lock:
            self._connection.close()
        if self._checkpoints is not None:
            self._checkpoints.close()

    def _read(self, query: str, *values: Any) -> Sequence[Any]:  # noqa: ANN401 - SQLite's values
        with self._lock:
            return self._connection.execute(query, values).fetchall()


def _open(path: Path | None, *, write: bool) -> sqlite3.Connection:
    if path is not None and write:
        path.parent.mkdir(parents=True, exist_ok=True)
        return connect(path)
    if path is not None:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


_FORGET = "delete from executions where substr(arn, -length(?1) - 1) = ':' || ?1"
_FACTS = ("machine_name", "name", "input_text", "role_arn", "started", "version", "alias", "origin")


def _record(row: Sequence[Any]) -> Record:
    number, arn, machine, parent, _, facts, ending, definition = row
    return Record(
        number=number,
        arn=arn,
        machine=machine,
        parent=parent,
        definition=json.loads(definition),
        ending=Ending(**json.loads(ending)),
        **json.loads(facts),
    )


def _text(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))
