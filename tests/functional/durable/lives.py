"""Lives of a local cloud, each a process of its own; the first ones are killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FRAME = """
import json, os, signal, sys
from pathlib import Path
import boto3
from local_cloud.cloud import local_cloud

def die():
    os.kill(os.getpid(), signal.SIGKILL)

with local_cloud(Path(sys.argv[1])) as cloud:
    at = lambda service, account="123456789012": cloud.context.client(service, account)
"""


def live(state_dir: Path, body: str) -> str:
    """Run `body` inside a cloud in a new process, and return what it printed; it must end or `die()`."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", _FRAME + lines, str(state_dir)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    expected = -signal.SIGKILL if body.rstrip().endswith("die()") else 0
    assert done.returncode == expected, done.stderr
    return done.stdout
