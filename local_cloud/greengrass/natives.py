"""Finds compiled programs among the artifacts of a device whose processor this machine does not have.

Scripts and Python run on this machine's processor for every device; compiled code for another one cannot.
Facts: the ELF header (e_machine is the half-word at offset 18), System V ABI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MACHINES = {3: "x86", 40: "arm", 62: "amd64", 183: "aarch64"}
_HEADER_BYTES = 20


def find_native(folders: Iterable[Path]) -> tuple[Path, str] | None:
    """Return a compiled file below the folders and its architecture, or None."""
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            architecture = _architecture(path) if path.is_file() else None
            if architecture is not None:
                return path, architecture
    return None


def _architecture(path: Path) -> str | None:
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return None
    machine = int.from_bytes(header[18:20], "big" if header[5] == 2 else "little")
    return _MACHINES.get(machine, f"ELF machine {machine}")
