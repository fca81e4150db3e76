"""Where the command line begins; what it does is in `verbs.command`.

Python needs a while to import all that a verb needs, and would report a Ctrl-C meanwhile with a traceback of
its own. So this module, which is the first to be imported, sees to signals before anything else. What comes
before, Python's own start, is not ours.
"""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130


def main(argv: list[str] | tuple[str, ...] | None = None) -> int:
    """Run the command line and return its exit code; whatever happens, no traceback reaches the terminal."""
    from verbs.command import run

    is_program = argv is None
    try:
        return run(sys.argv[1:] if argv is None else argv, begin=_begin if is_program else _do_nothing)
    finally:
        if is_program:  # what is left is Python's own end
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _begin() -> None:
    signal.signal(signal.SIGINT, _interrupt)


def _do_nothing() -> None:
    """Leave the signals to whoever called: this is a part of another program."""


def _interrupt(_number: int, frame: object) -> None:
    """Raise KeyboardInterrupt; but end at once in the midst of an import, of which Python may report it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):  # type: ignore[attr-defined] # a frame
            _end(_number, frame)
        frame = frame.f_back  # type: ignore[attr-defined] # as above
    raise KeyboardInterrupt


def _end(_number: int, _frame: object) -> None:
    """End at once: nothing has been started yet that would have to be ended."""
    os.write(2, b"edgepipe: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "edgepipe":  # noqa: PTH119 - pathlib takes as long as all else here
    signal.signal(signal.SIGINT, _end)

if __name__ == "__main__":
    sys.exit(main())
