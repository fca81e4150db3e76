"""The component's configuration: the recipe's environment, parsed once.

The recipe copies each `{configuration:/...}` value into one variable. Greengrass may hand a number back as
a float (`8080.0`), and an unset value as an empty string or `null`; all three are understood.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .errors import SettingsError

DEFAULT_PORT = 8080
DEFAULT_MAX_REQUEST_BYTES = 20 * 1024 * 1024
LARGEST_PORT = 65535
UNSET = ("", "null")


class EngineChoice(StrEnum):
    """Which inference engine to run; AUTO takes Triton where it can run, else the fallback."""

    AUTO = "auto"
    TRITON = "triton"
    FALLBACK = "fallback"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server needs to know; `port` 0 means any free port."""

    work: Path
    results: Path
    bind_address: str
    port: int
    engine: EngineChoice
    max_request_bytes: int

    @property
    def repository(self) -> Path:
        """The model repository that the engine serves."""
        return self.work / "models"

    @property
    def endpoint(self) -> Path:
        """The file that says where the server listens, there only while it does."""
        return self.work / "endpoint.json"


def parse_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; SettingsError lists everything that is wrong with it."""
    problems: list[str] = []
    work = _parse_work(environ, problems)
    settings = Settings(
        work=work,
        results=Path(_value(environ, "EDGEPIPE_SERVER_RESULTS") or work / "inference-results"),
        bind_address=_parse_address(environ, problems),
        port=_parse_number(environ, "EDGEPIPE_SERVER_PORT", (0, LARGEST_PORT), DEFAULT_PORT, problems),
        engine=_parse_engine(environ, problems),
        max_request_bytes=_parse_number(
            environ,
            "EDGEPIPE_SERVER_MAX_REQUEST_BYTES",
            (1, 2**31),
            DEFAULT_MAX_REQUEST_BYTES,
            problems,
        ),
    )
    if problems:
        message = "; ".join(problems)
        raise SettingsError(message)
    return settings


def _value(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    return "" if value in UNSET else value


def _parse_work(environ: Mapping[str, str], problems: list[str]) -> Path:
    work = _value(environ, "EDGEPIPE_SERVER_WORK")
    if not work:
        problems.append("EDGEPIPE_SERVER_WORK is not set; the recipe sets it to {work:path}")
    return Path(work).absolute()


def _parse_address(environ: Mapping[str, str], problems: list[str]) -> str:
    text = _value(environ, "EDGEPIPE_SERVER_BIND_ADDRESS") or "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        problems.append(f"bindAddress {text!r} is not an IP address; use 127.0.0.1 for this device only")
        return text


def _parse_engine(environ: Mapping[str, str], problems: list[str]) -> EngineChoice:
    text = _value(environ, "EDGEPIPE_SERVER_ENGINE") or EngineChoice.AUTO
    try:
        return EngineChoice(text)
    except ValueError:
        problems.append(f"engine {text!r} is not one of {', '.join(EngineChoice)}")
        return EngineChoice.AUTO


def _parse_number(
    environ: Mapping[str, str], name: str, bounds: tuple[int, int], default: int, problems: list[str]
) -> int:
    text = _value(environ, name)
    if not text:
        return default
    whole = text.removesuffix(".0")
    if whole.isascii() and whole.isdigit() and len(whole) <= 12 and bounds[0] <= int(whole) <= bounds[1]:
        return int(whole)
    problems.append(f"{name} is {text!r}; it must be a whole number from {bounds[0]} to {bounds[1]}")
    return default
