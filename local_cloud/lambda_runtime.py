"""The process of one function: reads a request, calls the handler, writes what it answers.

Run as a script with the folder of `request.json` as its argument; it imports nothing of this project.
"""

import importlib
import json
import sys
import time
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any


class Context:
    """What a handler gets as `context`."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._deadline = time.monotonic() + fields.pop("seconds")
        vars(self).update(fields)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds before the function times out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(folder: Path) -> None:
    """Answer one request."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    del sys.path[0]  # this file's folder is no part of the function
    module_name, _, name = request["handler"].rpartition(".")
    try:
        answer = call(module_name, name, json.loads(request["event"]), Context(request["context"]))
    except Exception as error:
        answer = failure(type(error).__name__, str(error), traceback.format_tb(error.__traceback__)[2:])
    sys.stdout.flush()
    (folder / "answer.tmp").write_text(json.dumps(answer), encoding="utf-8")
    (folder / "answer.tmp").replace(folder / "answer.json")


def call(module_name: str, name: str, event: object, context: Context) -> dict[str, Any]:
    """Import and call the handler; what the runtime itself finds wrong has names of its own."""
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except SyntaxError as error:
        return failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [])
    except ImportError as error:
        return failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", [])
    handler = getattr(module, name, None)
    if not callable(handler):
        words = f"Handler '{name}' missing on module '{module_name}'"
        return failure("Runtime.HandlerNotFound", words, [])
    value = handler(event, context)
    try:
        return {"payload": json.dumps(value, ensure_ascii=False, allow_nan=False, default=encode)}
    except (TypeError, ValueError, RecursionError) as error:
        return failure("Runtime.MarshalError", f"Unable to marshal response: {error}", [])


def encode(value: object) -> float:
    """Return a Decimal as Lambda does."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    message = f"Object of type {type(value).__name__} is not JSON serializable"
    raise TypeError(message)


def failure(kind: str, message: str, frames: list[str]) -> dict[str, Any]:
    """Return a failed call, and write it to the log as Lambda does."""
    print(f"[ERROR] {kind}: {message}\n{''.join(frames)}", end="")
    return {"kind": kind, "message": message, "frames": frames}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
