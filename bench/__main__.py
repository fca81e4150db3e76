"""`python -m bench`: every bench module, one after the other."""

from __future__ import annotations

import sys

from bench import arguments, cold_start, engine
from bench import compile as compiler

MODULES = (compiler, cold_start, engine)

if __name__ == "__main__":
    sys.exit(arguments.main("python -m bench", [module.measure for module in MODULES]))
