"""What surrounds a handler that runs in this process: its account, its log, its environment.

A handler's thread is told apart by a context variable. Threads that a handler starts itself have none: what
they print goes to this process's own streams, and clients that they make act in moto's default account.
"""

from __future__ import annotations

import contextvars
import io
import logging
import os
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

from botocore.handlers import BUILTIN_HANDLERS

from local_cloud.context import ACCOUNT_HEADER, PRINCIPAL_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class Log:
    """A file to which several invocations append whole lines; it stays open, which is quicker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._open()

    def append(self, text: str) -> None:
        """Append whole lines, also after `close`, as a thread may that ends late."""
        # One write of whole lines in append mode: no line of another invocation lands inside it.
        data = text.encode(errors="backslashreplace")
        try:
            self._file.write(data)
        except ValueError:  # it is closed
            with self._open() as file:
                file.write(data)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _open(self) -> io.FileIO:
        return io.FileIO(self.path, "a", opener=lambda path, flags: os.open(path, flags, 0o600))


class Logs:
    """Logs by name, each opened once and closed together; safe to call from any thread."""

    def __init__(self, place: Callable[[str], Path]) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._open: dict[str, Log] = {}

    def get(self, name: str) -> Log:
        """Return a log, opened if it was not."""
        with self._lock:
            if name not in self._open:
                self._open[name] = Log(self._place(name))
            return self._open[name]

    def close(self) -> None:
        """Close all."""
        with self._lock:
            for log in self._open.values():
                log.close()


class LogLines:
    """Appends whole lines of one invocation to a log."""

    def __init__(self, log: Log, request_id: str) -> None:
        self.request_id = request_id
        self._log = log
        self._rest = ""

    def write(self, text: str) -> None:
        """Append the complete lines of what has been written."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._log.append("".join(f"{line}\n" for line in lines))

    def close(self) -> None:
        """Append an unfinished line; more may be written after it."""
        if self._rest:
            self.write("\n")

    def tail(self, size: int) -> bytes:
        """Return the last bytes of the log, but none from before this invocation's START line."""
        with self._log.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            text = file.read(size)
        return text[max(0, text.find(f"START RequestId: {self.request_id}".encode())) :]


@dataclass(frozen=True, kw_only=True)
class LambdaContext:
    """What a handler gets as `context`."""

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    """On the clock of `time.monotonic`."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds before the function times out."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a handler's thread is."""

    account: str
    principal: str
    """The session of its function's role."""
    log: LogLines


_place: contextvars.ContextVar[Place | None] = contextvars.ContextVar("place", default=None)


@contextmanager
def inside(place: Place) -> Iterator[None]:
    """Run the block as a handler: its clients act in the account, its output goes to the log."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)
        place.log.close()


class EnvironmentConflictError(Exception):
    """Two functions want different values of one variable; in one process they share it."""


class Sandbox:
    """The changes to this process that let handlers run in it; `close` takes them back."""

    def __init__(self) -> None:
        self._streams = {name: _Stream(getattr(sys, name)) for name in ("stdout", "stderr")}
        self._logging = _LogHandler()
        self._registration = ("before-call", _add_account)
        self._lock = threading.Lock()
        self._before: dict[str, str | None] = {}
        self._given: dict[str, str] = {}

    def open(self) -> None:
        """Route output, logging and AWS calls by the thread they come from."""
        for name, stream in self._streams.items():
            setattr(sys, name, stream)
        logging.getLogger().addHandler(self._logging)
        cast("list[Any]", BUILTIN_HANDLERS).append(self._registration)

    def close(self) -> None:
        """Undo what `open` and `set_environment` did; may be repeated."""
        for name, stream in self._streams.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, stream.original)
        logging.getLogger().removeHandler(self._logging)
        if self._registration in BUILTIN_HANDLERS:
            cast("list[Any]", BUILTIN_HANDLERS).remove(self._registration)
        with self._lock:
            before, self._before, self._given = self._before, {}, {}
        for name, value in before.items():
            _set_variable(name, value)

    def set_environment(self, variables: Mapping[str, str]) -> None:
        """Set a function's variables for the whole process; raises EnvironmentConflictError."""
        with self._lock:
            for name, value in variables.items():
                if self._given.setdefault(name, value) != value:
                    message = (
                        f"environment variable {name} has two values in this deployment; functions that run "
                        "in one process share it: give all of them the same value"
                    )
                    raise EnvironmentConflictError(message)
                if name not in self._before:
                    self._before[name] = os.environ.get(name)
                    os.environ[name] = value


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _add_account(params: dict[str, Any], request_signer: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
    """Send a handler's own calls to its function's account; assumed roles keep theirs."""
    place = _place.get()
    if place is None:
        return
    credentials = request_signer._credentials
    if credentials is not None and credentials.access_key == os.environ.get("AWS_ACCESS_KEY_ID"):
        params["headers"][ACCOUNT_HEADER] = place.account
        params["headers"][PRINCIPAL_HEADER] = place.principal


class _Stream(io.TextIOBase):
    """Standard output or error: a handler's goes to its log, everybody else's where it went before."""

    def __init__(self, original: TextIO) -> None:
        self.original = original

    def write(self, text: str) -> int:
        place = _place.get()
        if place is None:
            return self.original.write(text)
        place.log.write(text)
        return len(text)

    def flush(self) -> None:
        if _place.get() is None:
            self.original.flush()

    def isatty(self) -> bool:
        return _place.get() is None and self.original.isatty()

    def fileno(self) -> int:
        return self.original.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed has a plain attribute
        return self.original.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override] # as above
        return self.original.errors


class _LogHandler(logging.Handler):
    """Writes handlers' log records as Lambda does; others go on as if it were not there."""

    def emit(self, record: logging.LogRecord) -> None:
        place = _place.get()
        if place is None:
            self._pass_on(record)
            return
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"[{record.levelname}]\t{at[:-6]}Z\t{place.log.request_id}\t{self.format(record)}\n"
        place.log.close()
        place.log.write(line)

    def _pass_on(self, record: logging.LogRecord) -> None:
        # Python prints warnings of an unconfigured logger; our presence must not silence them.
        last = logging.lastResort
        if last is not None and logging.getLogger().handlers == [self] and record.levelno >= last.level:
            last.handle(record)
