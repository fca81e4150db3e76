"""The recipe's Install: makes the packages of `requirements.txt` available to this `python3`.

Greengrass runs it at every start, so what is already there costs no network. Triton's wheel may fail to
install (older systems); that is an error only if the configuration asks for Triton.
"""

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import RequirementsError
from .requirements import Requirement, build_environment, find_missing, look_up, parse_requirements

LOG = logging.getLogger(__name__)
TRITON_PACKAGE = "nvidia-pytriton"
PIP_SECONDS = 800


def install(environ: Mapping[str, str]) -> None:
    """Install what is missing; RequirementsError says what could not be had and what to do."""
    text = (Path(__file__).parent / "requirements.txt").read_text(encoding="utf-8")
    engine = environ.get("EDGEPIPE_SERVER_ENGINE") or "auto"
    wanted = select(parse_requirements(text, build_environment()), engine, has_triton=find_server(environ))
    missing = find_missing(wanted, look_up)
    run_pip([each for each in missing if each.name != TRITON_PACKAGE])
    install_triton([each for each in missing if each.name == TRITON_PACKAGE], required=engine == "triton")
    LOG.info("all %d packages are there", len(wanted))


def select(requirements: Iterable[Requirement], engine: str, *, has_triton: bool) -> list[Requirement]:
    """Leave Triton's wheel out where the machine has its own Triton, or the fallback is asked for."""
    wheel = engine != "fallback" and not has_triton
    return [each for each in requirements if wheel or each.name != TRITON_PACKAGE]


def find_server(environ: Mapping[str, str]) -> bool:
    """Tell whether the machine has a tritonserver of its own."""
    return bool(environ.get("TRITONSERVER") or shutil.which("tritonserver", path=environ.get("PATH")))


def install_triton(missing: list[Requirement], *, required: bool) -> None:
    """Install Triton's wheel; without it `auto` serves with the fallback engine."""
    try:
        run_pip(missing)
    except RequirementsError as error:
        if required:
            raise
        LOG.warning("%s; the fallback engine will serve instead", error)


def run_pip(missing: list[Requirement]) -> None:
    """Install packages for the interpreter that runs this."""
    if not missing:
        return
    names = [each.text for each in missing]
    if importlib.util.find_spec("pip") is None:
        raise RequirementsError(_render_remedy(names, "this Python has no pip"))
    LOG.info("installing %s", ", ".join(names))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *names]
    try:
        done = subprocess.run(  # noqa: S603 - the names come from the component's own file
            command, check=False, timeout=PIP_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise RequirementsError(_render_remedy(names, f"pip took more than {PIP_SECONDS} s")) from error
    if done.returncode:
        raise RequirementsError(_render_remedy(names, f"pip ended with status {done.returncode}, see above"))


def _render_remedy(names: list[str], reason: str) -> str:
    return (
        f"cannot install {', '.join(names)}: {reason}. Install them for {sys.executable}, "
        "or put a virtual environment that has them first on the PATH of Greengrass's processes"
    )


def main() -> int:
    """Install: 0 everything is there, 1 something could not be had."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        install(os.environ)
    except RequirementsError as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
