"""Imports the example's programs as they import each other: from their own folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

COOKIES = Path(__file__).parents[3] / "examples" / "cookies"


def load(name: str, folder: Path = COOKIES / "training") -> Any:
    """Return the module `name` of a folder of scripts."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
