"""The handlers' cold start, against importing boto3 and making the same client without us.

    python -m bench.cold_start [--output json] [--rounds 9]

A handler's process imports its module and makes the first client that the handler makes; its peer is a
process that does only the latter, in the same round.
"""

from __future__ import annotations

import io
import statistics
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import arguments
from bench.processes import Command, alternate
from bench.report import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.processes import Sample

ROOT = Path(__file__).resolve().parents[1]
FIRST_CLIENT = {
    "label": "s3",
    "transform": "s3",
    "package": "s3",
    "publish": "s3",
    "train": "dynamodb",
    "compile": "dynamodb",
    "deploy": "dynamodb",
    "approve": "dynamodb",
    "events": "dynamodb",
    "sweeper": "dynamodb",
}
"""Handler → the service that it asks first."""
RATIO, ZIP_KB = 1.1, 100.0
_REGION = "import os; os.environ['AWS_DEFAULT_REGION'] = 'us-east-1'"


def measure(rounds: int) -> Table:
    """Measure every handler in one run and return the table."""
    peers = {f"boto3 {service}": _peer(service) for service in sorted(set(FIRST_CLIENT.values()))}
    handlers = {name: _handler(name, service) for name, service in FIRST_CLIENT.items()}
    samples = alternate({**peers, **handlers}, rounds)
    how = f"cold processes, ratio of CPU time (wall time in the note), median of {rounds} alternating rounds"
    return Table(title="cold start", how=how, rows=[*_ratios(samples), _zip_size()])


def _peer(service: str) -> Command:
    return _python(f"import boto3; boto3.client('{service}')")


def _handler(name: str, service: str) -> Command:
    return _python(f"from tasks import aws, {name}; aws.client('{service}')")


def _python(program: str) -> Command:
    # Left at once: what Python tidies up at the end of a process is no part of a cold start.
    return Command(words=(sys.executable, "-c", f"{_REGION}; {program}; os._exit(0)"), cwd=ROOT)


def _ratios(samples: Mapping[str, Sequence[Sample]]) -> Iterator[Row]:
    for name, service in FIRST_CLIENT.items():
        pairs = list(zip(samples[name], samples[f"boto3 {service}"], strict=True))
        cpu = statistics.median(one.cpu / other.cpu for one, other in pairs)
        wall = statistics.median(one.wall / other.wall for one, other in pairs)
        took = statistics.median(one.wall for one, _ in pairs)
        note = f"wall {wall:.2f} x; {took * 1000:,.0f} ms"
        yield Row(what=f"tasks.{name} / boto3 and {service}", value=cpu, unit="x", target=RATIO, note=note)


def _zip_size() -> Row:
    """Return the size of what every handler's Lambda gets: the folder `tasks`, deflated."""
    buffer = io.BytesIO()
    files = sorted((ROOT / "tasks").rglob("*.py"))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(ROOT))
    size = len(buffer.getvalue()) / 1000
    return Row(what="a handler's zip", value=size, unit="kB", target=ZIP_KB, note=f"{len(files)} files")


if __name__ == "__main__":
    sys.exit(arguments.main("python -m bench.cold_start", [measure]))
