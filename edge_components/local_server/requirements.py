"""The component's `requirements.txt`, read and compared with what is installed.

Only the part of the format that the file uses is read, with the standard library, for this runs before
anything is installed; any other line is an error.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from .errors import RequirementsError

LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extra>[a-z]+)\])?(?P<bounds>[^;]*)(?:;(?P<marker>.*))?")
BOUND = re.compile(r"(?P<operator>>=|<=|==|<|>)(?P<version>[0-9.]+)")
CONDITION = re.compile(r"(?P<variable>[a-z_]+)\s*(?P<operator>>=|==|<)\s*'(?P<value>[^']*)'")
EXTRA_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['\"](?P<extra>[a-z]+)['\"]")
COMPARE: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda found, bound: found >= bound,
    "<=": lambda found, bound: found <= bound,
    "==": lambda found, bound: found == bound,
    "<": lambda found, bound: found < bound,
    ">": lambda found, bound: found > bound,
}


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One package that this machine needs; `text` is what pip is given."""

    name: str
    extra: str
    bounds: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What is known of an installed package."""

    version: str
    requires: tuple[str, ...]


Lookup = Callable[[str], Installed | None]


def parse_requirements(text: str, environment: Mapping[str, str]) -> list[Requirement]:
    """Give the requirements that apply here; RequirementsError names a line that cannot be read."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [found for line in lines if line for found in _parse_line(line, environment)]


def _parse_line(line: str, environment: Mapping[str, str]) -> Iterator[Requirement]:
    match = LINE.fullmatch(line)
    bounds = (
        [BOUND.fullmatch(part.strip()) for part in match["bounds"].split(",") if part.strip()]
        if match
        else []
    )
    if match is None or None in bounds:
        message = f"requirements.txt: {line!r} cannot be read"
        raise RequirementsError(message)
    if all(
        _holds(each.strip(), line, environment)
        for each in (match["marker"] or "").split(" and ")
        if each.strip()
    ):
        yield Requirement(
            name=match["name"],
            extra=match["extra"] or "",
            bounds=tuple((each["operator"], each["version"]) for each in bounds if each),
            text=line.partition(";")[0].strip(),
        )


def _holds(condition: str, line: str, environment: Mapping[str, str]) -> bool:
    match = CONDITION.fullmatch(condition)
    if match is None or match["variable"] not in environment:
        message = f"requirements.txt: {condition!r} in {line!r} cannot be read"
        raise RequirementsError(message)
    found = environment[match["variable"]]
    if match["variable"] == "python_version":
        return compare(found, match["operator"], match["value"])
    return found == match["value"]


def build_environment() -> dict[str, str]:
    """Describe this interpreter with the variables that conditions use."""
    import platform

    return {
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
    }


def find_missing(requirements: Iterable[Requirement], lookup: Lookup) -> list[Requirement]:
    """Give the requirements that what is installed does not meet."""
    return [each for each in requirements if not is_met(each, lookup)]


def is_met(requirement: Requirement, lookup: Lookup) -> bool:
    """Tell whether the package is there in a fitting version, with what its extra asks for."""
    found = lookup(requirement.name)
    if found is None:
        return False
    fits = all(compare(found.version, operator, bound) for operator, bound in requirement.bounds)
    return fits and all(lookup(name) for name in _find_extra_names(found.requires, requirement.extra))


def _find_extra_names(requires: Iterable[str], extra: str) -> list[str]:
    matches = (EXTRA_REQUIREMENT.fullmatch(line) for line in requires)
    return [match["name"] for match in matches if match and match["extra"] == extra]


def compare(found: str, operator: str, bound: str) -> bool:
    """Compare release numbers; what follows them (rc1, .post1, +cpu) does not count."""
    left, right = _parse_release(found), _parse_release(bound)
    width = max(len(left), len(right))
    return COMPARE[operator](_widen(left, width), _widen(right, width))


def _parse_release(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in match.group().split(".")) if match else ()


def _widen(numbers: tuple[int, ...], width: int) -> tuple[int, ...]:
    return numbers + (0,) * (width - len(numbers))


def look_up(name: str) -> Installed | None:
    """Ask the interpreter for an installed package."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return Installed(version=found.version, requires=tuple(found.requires or ()))
