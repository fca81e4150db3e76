"""What one run would cost at list prices: a dated table in prices/, and assumptions that are said aloud."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.diagnostics import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.machine import Machine, Task

FOLDER = Path(__file__).resolve().parent / "prices"
REGION = "us-east-1"
HOURS_A_MONTH = 730


class MinutesError(RequestError):
    """`--minutes` is not NAME=MINUTES, names a step or kind that starts no job, or gives it no time."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of the bill; `cost` is in the table's currency, None where the table has no price."""

    what: str
    service: str
    quantity: str
    cost: float | None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The bill for one run that goes to its end; `total` leaves out what has no price."""

    items: tuple[Item, ...]
    assumptions: tuple[str, ...]
    region: str
    date: str
    currency: str
    sources: Mapping[str, str]
    not_counted: str

    @property
    def total(self) -> float:
        """Return the sum."""
        return sum(item.cost or 0 for item in self.items)


def read_minutes(words: Sequence[str]) -> dict[str, float]:
    """Return `train=30` and the like as a mapping. Raises MinutesError."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            message = f"--minutes: '{word}' is not NAME=MINUTES, such as train=45"
            raise MinutesError(message) from None
    return found


@functools.cache
def prices(region: str = REGION) -> Mapping[str, Any]:
    """Return the table of a region."""
    table: Mapping[str, Any] = json.loads((FOLDER / f"{region}.json").read_text(encoding="utf-8"))
    return table


def estimate(machine: Machine, minutes: Mapping[str, float]) -> Estimate:
    """Estimate a run; `minutes` says how long jobs take, by step id or kind. Raises MinutesError."""
    table = prices()
    _check_minutes(machine, minutes, table)
    jobs = [_Job(task, machine, minutes, table) for task in machine.tasks if _starts_job(task, table)]
    items = [item for job in jobs for item in job.items()]
    items += [_functions(machine, table), _transitions(machine, table), _storage(table)]
    return Estimate(
        items=tuple(items),
        assumptions=tuple(_assumptions(jobs, table)),
        region=table["region"],
        date=table["date"],
        currency=table["currency"],
        sources=table["sources"],
        not_counted=table["not_counted"],
    )


def _starts_job(task: Task, table: Mapping[str, Any]) -> bool:
    return task.kind in table["assumptions"]["job_minutes"]


def _check_minutes(machine: Machine, minutes: Mapping[str, float], table: Mapping[str, Any]) -> None:
    jobs = [task for task in machine.tasks if _starts_job(task, table)]
    known = sorted({name for task in jobs for name in (task.step, task.kind)})
    for name, value in minutes.items():
        if name not in known:
            message = f"--minutes: '{name}' starts no job; those that do: {', '.join(known) or 'none'}"
            raise MinutesError(message)
        if not 0 < value < 60 * 24 * 28:
            message = f"--minutes {name}: a job takes more than 0 minutes and less than 28 days"
            raise MinutesError(message)


class _Job:
    """A step's SageMaker jobs and what they would cost."""

    def __init__(
        self, task: Task, machine: Machine, minutes: Mapping[str, float], table: Mapping[str, Any]
    ) -> None:
        assumed = table["assumptions"]
        self.step = task.step
        self.times = task.times
        self.count = task.times or 1
        self.given = task.step in minutes or task.kind in minutes
        usual = minutes.get(task.kind, assumed["job_minutes"][task.kind])
        self.minutes = minutes.get(task.step, usual)
        self.instance = machine.default(task.config.get("instance", assumed["job_instance"]))
        volume = machine.default(task.config.get("volume_gb", assumed["job_volume_gb"]))
        self.volume = volume if isinstance(volume, int) else assumed["job_volume_gb"]
        self.table = table["sagemaker"]

    @property
    def hours(self) -> float:
        return float(self.count * self.minutes / 60)

    def items(self) -> Iterator[Item]:
        price = self.table["instance_hour"].get(self.instance)
        jobs = f"{self.count} job{'s' if self.count > 1 else ''} x {self.minutes:g} min"
        yield Item(
            what=f"{self.step}: {self.instance}",
            service="sagemaker",
            quantity=jobs,
            cost=None if price is None else price * self.hours,
        )
        yield Item(
            what=f"{self.step}: disk",
            service="sagemaker",
            quantity=f"{self.volume} GB, {self.hours:.2f} h",
            cost=self.volume * self.table["volume_gb_month"] * self.hours / HOURS_A_MONTH,
        )

    def assumption(self) -> str:
        length = f"{self.step}: a job takes {self.minutes:g} minutes" + (" (given)" if self.given else "")
        priced = self.instance in self.table["instance_hour"]
        listed = "" if self.times else "; its list, which only a run knows, has one item"
        return length + listed + ("" if priced else f"; {self.instance} has no price here and is left out")


def _functions(machine: Machine, table: Mapping[str, Any]) -> Item:
    assumed, price = table["assumptions"], table["lambda"]
    usual = assumed["lambda_seconds_otherwise"]
    calls = [task for task in machine.tasks if task.step]
    seconds = sum((task.times or 1) * assumed["lambda_seconds"].get(task.kind, usual) for task in calls)
    count = sum(task.times or 1 for task in calls)
    cost = count * price["request"] + seconds * assumed["lambda_gb"] * price["gb_second"]
    return Item(what="handlers", service="lambda", quantity=f"{count} calls, {seconds} s", cost=cost)


def _transitions(machine: Machine, table: Mapping[str, Any]) -> Item:
    count = machine.transitions
    cost = count * table["step_functions"]["transition"]
    return Item(what="state transitions", service="step_functions", quantity=str(count), cost=cost)


def _storage(table: Mapping[str, Any]) -> Item:
    assumed, price = table["assumptions"], table["s3"]
    puts, gets, kept = assumed["s3_puts"], assumed["s3_gets"], assumed["s3_gb_months"]
    cost = puts * price["put"] + gets * price["get"] + kept * price["gb_month"]
    quantity = f"{puts} writes, {gets} reads, {kept} GB"
    return Item(what="artifacts, kept for a month", service="s3", quantity=quantity, cost=cost)


def _assumptions(jobs: list[_Job], table: Mapping[str, Any]) -> Iterator[str]:
    assumed = table["assumptions"]
    yield from (job.assumption() for job in jobs)
    yield f"handlers have {assumed['lambda_gb']} GB of memory, on arm64"
    yield "every step runs once, at full price: no retry, no spot instance, nothing taken from a cache"
