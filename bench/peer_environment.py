"""The virtual environment that holds the peers, apart from edgepipe's own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench-venv"
LOCK = ROOT / "bench" / "requirements.lock"


class PeersMissingError(Exception):
    """The peers could not be installed; the message says why and what to do."""


def prepare(folder: Path = FOLDER) -> Path:
    """Install the peers that the lock file names, once, and return where their programs are."""
    programs = folder / "bin"
    mark = folder / "installed"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not mark.is_file() or mark.read_text(encoding="utf-8") != digest:
        print(f"installing the peers into {folder} (once; it takes minutes)", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        _install(programs)
        mark.write_text(digest, encoding="utf-8")
    return programs


def _install(programs: Path) -> None:
    words = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - pip, with a lock file of hashes
        [*words, "--require-hashes", "--requirement", str(LOCK)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["pip said nothing"]
        message = (
            f"the peers could not be installed from {LOCK.name}: {said[-1]}. They come from the package "
            "index that pip is set up for: look at the network, then run this again."
        )
        raise PeersMissingError(message)
