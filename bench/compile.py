"""The compiler against `python -c pass`, sfnx, KFP and DVC, each a cold process on an equivalent pipeline.

    python -m bench.compile [--output json] [--rounds 9]

Every command is what a user types, down to the console script. One round runs each command once; a ratio is
the median, over all rounds, of what two commands took in the same round. The peers' pipelines lie in
bench/peers/.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import arguments, peer_environment, specs
from bench.processes import Command, CommandFailedError, alternate, run
from bench.report import Row, Table
from pipelines.definition import serialise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.processes import Sample

BENCH = Path(__file__).resolve().parent
EXAMPLE = BENCH / "example" / "pipeline.yaml"
EDGEPIPE = Path(sys.executable).with_name("edgepipe")

PASS, SFNX, KFP, DVC = "python -c pass", "sfnx compile", "kfp compile", "dvc dag"
VALIDATE, COMPILE, THOUSAND = "edgepipe validate", "edgepipe compile", "edgepipe compile, 1,000 steps"


class Limit(NamedTuple):
    """What a command may take at most, as a multiple of another in the same run."""

    command: str
    against: str
    target: float | None


LIMITS = (
    Limit(VALIDATE, PASS, 12),
    Limit(COMPILE, PASS, 12),
    Limit(VALIDATE, SFNX, 0.5),
    Limit(COMPILE, SFNX, 0.5),
    Limit(COMPILE, KFP, None),
    Limit(COMPILE, DVC, None),
    Limit(THOUSAND, PASS, 60),
)
BYTES_A_STEP = 1200


def measure(rounds: int) -> Table:
    """Measure everything in one run and return its table."""
    programs = peer_environment.prepare()
    with tempfile.TemporaryDirectory(prefix="edgepipe-bench-") as folder:
        commands = _commands(programs, Path(folder))
        failed = _without_failures(commands)
        samples = alternate(commands, rounds)
        rows = [*_ratios(samples, failed), *_memory(samples), *_sizes(Path(folder), failed)]
    how = f"cold processes, ratios of wall time (CPU time in the note), median of {rounds} alternating rounds"
    return Table(title="compile", how=how, rows=rows)


def _commands(programs: Path, folder: Path) -> dict[str, Command]:
    """Lay out a scratch folder and name what runs in it."""
    shutil.copytree(BENCH / "example", folder, dirs_exist_ok=True)
    shutil.copytree(BENCH / "peers" / "dvc", folder / "dvc")
    folder.joinpath("many.yaml").write_text(specs.many_steps(1000), encoding="utf-8")
    run(_command(folder / "dvc", programs / "dvc", "init", "--no-scm", "--quiet"))
    sfnx, kfp = BENCH / "peers" / "sfnx" / "pipeline.py", BENCH / "peers" / "kfp" / "pipeline.py"
    return {
        PASS: _command(folder, sys.executable, "-c", "pass"),
        VALIDATE: _command(folder, EDGEPIPE, "validate", "pipeline.yaml"),
        COMPILE: _command(folder, EDGEPIPE, "compile", "pipeline.yaml", "-o", "asl.json"),
        SFNX: _command(folder, programs / "sfnx", "compile", sfnx, "-o", "sfnx.json"),
        KFP: _command(folder, programs / "python", kfp, "kfp.yaml"),
        DVC: _command(folder / "dvc", programs / "dvc", "dag"),
        THOUSAND: _command(folder, EDGEPIPE, "compile", "many.yaml", "-o", "many.json"),
    }


def _command(cwd: Path, *words: str | Path) -> Command:
    return Command(words=tuple(map(str, words)), cwd=cwd)


def _without_failures(commands: dict[str, Command]) -> dict[str, str]:
    """Take edgepipe's own commands that fail out of the run, and return what they said: a missed target."""
    failed: dict[str, str] = {}
    for name in (VALIDATE, COMPILE, THOUSAND):
        try:
            run(commands[name])
        except CommandFailedError as error:
            failed[name] = str(error).partition(": ")[2]
            del commands[name]
    return failed


def _ratios(samples: Mapping[str, Sequence[Sample]], failed: Mapping[str, str]) -> Iterator[Row]:
    for limit in LIMITS:
        what = f"{limit.command} / {limit.against}"
        if limit.command in failed:
            yield Row(what=what, value=None, unit="x", target=limit.target, note=failed[limit.command])
            continue
        pairs = list(zip(samples[limit.command], samples[limit.against], strict=True))
        wall = statistics.median(one.wall / other.wall for one, other in pairs)
        cpu = statistics.median(one.cpu / other.cpu for one, other in pairs)
        took = statistics.median(one.wall for one, _ in pairs)
        note = f"CPU {cpu:.2f} x; {took * 1000:,.0f} ms"
        yield Row(what=what, value=wall, unit="x", target=limit.target, note=note)


def _memory(samples: Mapping[str, Sequence[Sample]]) -> Iterator[Row]:
    """Yield peak memory; not that of `pass`, to which Linux adds what its parent had at the fork."""
    for name, taken in samples.items():
        if name != PASS:
            peak = statistics.median(sample.memory for sample in taken)
            yield Row(what=f"{name}: peak memory", value=peak / 1e6, unit="MB")


def _sizes(folder: Path, failed: Mapping[str, str]) -> Iterator[Row]:
    files = {COMPILE: ("asl.json", _steps(EXAMPLE)), THOUSAND: ("many.json", 1000)}
    for name, (file, steps) in files.items():
        what = f"{name}: ASL"
        if name in failed:
            yield Row(what=what, value=None, unit="B a step", target=BYTES_A_STEP, note=failed[name])
        else:
            size = folder.joinpath(file).stat().st_size
            note = f"{size:,} B, {steps:,} steps"
            yield Row(what=what, value=size / steps, unit="B a step", note=note)
            yield _by_state(what, json.loads(folder.joinpath(file).read_bytes())["States"])
    yield Row(what=f"{SFNX}: ASL", value=folder.joinpath("sfnx.json").stat().st_size, unit="B")


def _by_state(what: str, states: Mapping[str, Any]) -> Row:
    """Count the states of steps, those inside Maps too, without what every definition has (decision 0007)."""
    own = {name: state for name, state in states.items() if name[0].islower()}
    size = len(serialise({"States": own}).encode()) - len(serialise({"States": {}}).encode())
    inner = sum(len(state["ItemProcessor"]["States"]) for state in own.values() if "ItemProcessor" in state)
    note = f"{size:,} B, {len(own) + inner:,} states of steps"
    return Row(
        what=f"{what}, by the state",
        value=size / (len(own) + inner),
        unit="B a state",
        target=BYTES_A_STEP,
        note=note,
    )


def _steps(spec: Path) -> int:
    """Ask edgepipe how many steps a spec has."""
    words = [str(EDGEPIPE), "validate", str(spec)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    return int(done.stderr.rpartition(": ")[2].split()[0])


if __name__ == "__main__":
    sys.exit(arguments.main("python -m bench.compile", [measure]))
