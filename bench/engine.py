"""The local engine against moto's own interpreter, and under a load of a thousand runs.

    python -m bench.engine [--output json] [--rounds 9]

Each part is a process of its own (`bench.engine_parts`). Functions are Python ones, called through the same
Lambda backend on both sides; moto's machine says in JSONPath what ours says in JSONata, for which stock moto
has no evaluator.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import arguments
from bench.processes import CommandFailedError
from bench.report import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
"""How often each part runs: they repeat their work inside."""


def measure(rounds: int) -> Table:
    """Measure everything in one run and return its table."""
    ours, stock, mapped, many = zip(*(_round() for _ in range(ROUNDS)), strict=True)
    rows = [*_tasks(ours, stock), *_map(mapped), *_runs(many), _import(rounds)]
    how = f"parts in processes of their own, median of {ROUNDS} (imports: {rounds}); journal in SQLite"
    return Table(title="engine", how=how, rows=rows)


def _round() -> list[dict[str, Any]]:
    return [_part(name) for name in ("ours", "moto", "map", "runs")]


def _part(name: str) -> dict[str, Any]:
    return dict(json.loads(_said("bench.engine_parts", name)))


def _said(*words: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
        raise CommandFailedError(message)
    return done.stdout


def _median(parts: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.median(float(part[name]) for part in parts)


def _tasks(ours: Sequence[dict[str, Any]], stock: Sequence[dict[str, Any]]) -> Iterator[Row]:
    taken = _median(ours, "task_ms")
    note = f"chain of 200; CPU {_median(ours, 'cpu_ms'):.2f} ms"
    yield Row(what="a Lambda task, journal on", value=taken, unit="ms", target=1, note=note)
    what = "a Lambda task, journal on / stock moto"
    if "missing" in stock[0]:
        yield Row(what=what, value=None, unit="x", target=0.1, note=stock[0]["missing"])
        return
    theirs = _median(stock, "task_ms")
    yield Row(what=what, value=taken / theirs, unit="x", target=0.1, note=f"stock moto {theirs:.1f} ms")


def _map(parts: Sequence[dict[str, Any]]) -> Iterator[Row]:
    what = "a Map of 1,000 tasks, concurrency 8"
    note = f"CPU {_median(parts, 'cpu_s'):.2f} s"
    yield Row(what=what, value=_median(parts, "map_s"), unit="s", target=0.6, note=note)


def _runs(parts: Sequence[dict[str, Any]]) -> Iterator[Row]:
    note = f"median {_median(parts, 'p50_ms'):.2f} ms"
    what = "1,000 runs: answer to next step, p99"
    yield Row(what=what, value=_median(parts, "p99_ms"), unit="ms", target=5, note=note)
    note = f"{_median(parts, 'threads'):.0f} threads; {_median(parts, 'before_mb'):.0f} MB before the runs; "
    note += f"{_median(parts, 'start_s'):.1f} s to start them"
    what = "1,000 runs that wait: resident memory"
    yield Row(what=what, value=_median(parts, "waiting_mb"), unit="MB", note=note)


def _import(rounds: int) -> Row:
    names = _said("bench.imported").split()
    samples = [_said("bench.import_time", *names).split() for _ in range(rounds)]
    wall, cpu = (statistics.median(float(each) for each in column) for column in zip(*samples, strict=True))
    note = f"CPU {cpu:.2f} s; {len(names):,} modules, all there are when the execution starts"
    return Row(what="imports of edgepipe run", value=wall, unit="s", target=0.6, note=note)


if __name__ == "__main__":
    sys.exit(arguments.main("python -m bench.engine", [measure]))
