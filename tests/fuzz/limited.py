"""`edgepipe validate` under hard limits: each input in a process of its own that the kernel bounds.

As a program (`python -m tests.fuzz.limited FOLDER`) it reads the names of files in FOLDER, one a line, and
answers each with the exit code of a fork that validated it, negative for the signal that killed it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

CPU_SECONDS = 2
MEMORY = 256 * 1024 * 1024
"""What an input may make the process grow by."""

ROOT = Path(__file__).resolve().parents[2]


class Validator:
    """A running limiter; `validate` gives an input's exit code: 0 good, 3 mistakes, anything else a bug."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "spec.yaml"
        words = [sys.executable, "-m", "tests.fuzz.limited", str(folder)]
        self._child = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._child.communicate()

    def validate(self, data: bytes) -> int:
        """Validate a spec's bytes."""
        if self._child.stdin is None or self._child.stdout is None:
            raise AssertionError
        self._file.write_bytes(data)
        self._child.stdin.write(f"{self._file.name}\n".encode())
        self._child.stdin.flush()
        return int(self._child.stdout.readline())


def _answer(folder: Path) -> Iterator[int]:
    for name in sys.stdin:
        child = os.fork()
        if not child:
            _validate(folder / name.strip())
        yield os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _validate(path: Path) -> None:
    """Bound this process, validate, and leave without returning."""
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 1
    try:
        code = _cli(path)
    finally:
        os._exit(code)


def _cli(path: Path) -> int:
    import cli

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        return cli.main(["validate", str(path)])


def main() -> None:
    """Answer until the questions end. The compiler is imported once, before the first fork."""
    import pipelines.compiler  # noqa: F401 - so that no fork imports it

    for code in _answer(Path(sys.argv[1])):
        print(code, flush=True)


if __name__ == "__main__":
    main()
