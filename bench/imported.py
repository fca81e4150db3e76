"""Prints what `edgepipe run` of the example has imported when its execution would start, in that order."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import cli
from local_cloud.drive import LocalRun

SPEC = Path(__file__).resolve().parents[1] / "examples" / "cookies" / "pipeline.yaml"


class BegunError(BaseException):
    """Ends a run that would start its execution; nothing of edgepipe's takes it for a mistake."""


def main() -> None:
    """Run the example up to its execution's start and print the names of the modules, one a line."""
    with (
        tempfile.TemporaryDirectory(prefix="edgepipe-bench-") as folder,
        patch.object(LocalRun, "_begin", _stop),
        suppress(BegunError),
    ):
        cli.main(["run", str(SPEC), "--state-dir", folder])
    print("\n".join(name for name, module in sys.modules.items() if _is_imported(name, module)))


def _stop(*_: object) -> NoReturn:
    raise BegunError


def _is_imported(name: str, module: object) -> bool:
    """Tell a module that an import by its name loads from aliases and from this program."""
    spec = getattr(module, "__spec__", None)
    return spec is not None and spec.name == name and not name.startswith("bench")


if __name__ == "__main__":
    main()
