"""The program of the image edgepipe-optimize: `optimize --target x86_64-cpu --labels '["a", "b"]'`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from .errors import OptimizeError
from .optimization import optimize
from .settings import parse_settings

MAX_MESSAGE = 1000


def main() -> int:
    """Optimise one model; a failure is one line on stderr and in the job's exit message."""
    settings = None
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
        with tempfile.TemporaryDirectory() as scratch:
            report = optimize(settings, Path(scratch))
    except OptimizeError as error:
        print(f"optimize: {error}", file=sys.stderr)
        if settings:
            settings.exit_message.parent.mkdir(parents=True, exist_ok=True)
            settings.exit_message.write_text(str(error)[:MAX_MESSAGE], encoding="utf-8")
        return 1
    print(f"{report['target']}: chose {report['chosen']}: {report['reason']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
