"""A function's own zip, run as Lambda runs it: in a process of its own, with its own files and variables.

What it does not do: keep a process for the next call, limit memory, or provide another Python than this
one: `Runtime` may name any Python.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.core.utils import utcnow
from moto.sts.models import sts_backends

from local_cloud import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.awslambda.models import LambdaFunction
    from moto.sts.models import AssumedRole

MAX_UNPACKED = 262_144_000
"""Bytes (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
_RUNTIME = Path(__file__).parent / "lambda_runtime.py"
_POLL_SECONDS = 0.05
_SESSION_SECONDS = 43_200
_RENEW = timedelta(hours=1)
"""Longer than any function runs."""


class Sessions:
    """The sessions of functions' roles, each used until shortly before its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, AssumedRole] = {}

    def keys(self, role: str, region: str) -> dict[str, str]:
        """Return the variables that hold a session's credentials; whether it trusts Lambda is not asked."""
        with self._lock:
            made = self._made.get(role)
            if made is None or made.expiration < utcnow() + _RENEW:
                sts = sts_backends[role.split(":")[4]]["aws"]
                made = self._made[role] = sts.assume_role(region, "lambda", role, "", _SESSION_SECONDS, "")
        return {
            "AWS_ACCESS_KEY_ID": made.access_key_id,
            "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
            "AWS_SESSION_TOKEN": made.session_token,
        }


def check(spec: Mapping[str, Any]) -> None:
    """Refuse a function that is no zip of Python; raises InvalidParameterValueException."""
    if spec.get("PackageType", "Zip") != "Zip" or not str(spec.get("Runtime", "")).startswith("python3"):
        message = "The local cloud runs zip packages with a Python runtime only"
        raise InvalidParameterValueException(message)
    if spec.get("Layers"):
        message = "The local cloud has no layers: put what the function imports into its zip"
        raise InvalidParameterValueException(message)


def build(
    function: LambdaFunction,
    code: Path,
    given: Mapping[str, str],
    log: Path,
    *,
    event: str,
    context: Mapping[str, object],
) -> Program:
    """Return one call of a function whose zip lies unpacked in the folder `code`."""
    return Program(
        code=code,
        handler=str(function.handler),
        event=event,
        variables={**variables(function), **given},
        context=context,
        log=log,
        seconds=int(function.timeout),
    )


def variables(function: LambdaFunction) -> dict[str, str]:
    """Return the variables that Lambda sets by a function's configuration.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.function_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": function.function_name,
        "_HANDLER": str(function.handler),
    }


def unpack(zipped: bytes, folder: Path) -> None:
    """Unpack a function's zip into a folder, if it is not there yet; raises InvalidParameterValueException.

    Nothing is written outside the folder: names that lead there, links and too much data are refused.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as beside:
        try:
            with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
                _check(archive)
                archive.extractall(Path(beside) / "code")
        except zipfile.BadZipFile as error:
            message = f"Could not unzip uploaded file: {error}"
            raise InvalidParameterValueException(message) from error
        (Path(beside) / "code").mkdir(exist_ok=True)
        if not folder.is_dir():
            (Path(beside) / "code").rename(folder)


@dataclass(frozen=True, kw_only=True)
class Program:
    """One call of a function in a process of its own."""

    code: Path
    """The folder of its unpacked zip; beside it lies what a call has to itself, its HOME and TMPDIR."""
    handler: str
    event: str
    """JSON text."""
    variables: Mapping[str, str]
    context: Mapping[str, object]
    """The fields of the handler's `context`, and the `seconds` that it has."""
    log: Path
    seconds: float

    def run(self) -> dict[str, Any] | None:
        """Return `payload`, or `kind`, `message` and `frames` of a failure; None if it died or took too long.

        Whatever the process started is gone when this returns.
        """
        with tempfile.TemporaryDirectory(
            dir=self.code.parent, prefix="call-", ignore_cleanup_errors=True
        ) as name:
            folder = Path(name)
            request = {"handler": self.handler, "event": self.event, "context": self.context}
            (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
            argv = (sys.executable, str(_RUNTIME), str(folder))
            env = {**_surroundings(self.code, folder), **self.variables}
            process = processes.start(argv, cwd=self.code, env=env, log=self.log)
            try:
                deadline = time.monotonic() + self.seconds
                while process.wait(_POLL_SECONDS) is None and time.monotonic() < deadline:
                    pass  # in short waits, so that the thread can be ended
            finally:
                process.stop(0)
            answer = folder / "answer.json"
            return json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else None


def clear(folder: Path) -> None:
    """Remove what unpackings and calls left whose process was killed; nobody else uses the folder."""
    for left in (*folder.glob("new-*"), *folder.glob("call-*")):
        shutil.rmtree(left, ignore_errors=True)


def _surroundings(code: Path, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": str(code),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _check(archive: zipfile.ZipFile) -> None:
    size = 0
    for info in archive.infolist():
        size += info.file_size
        path = PurePosixPath(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or kind == stat.S_IFLNK:
            message = f"Could not unzip uploaded file: the entry {info.filename!r} leads outside it"
            raise InvalidParameterValueException(message)
    if size > MAX_UNPACKED:
        message = f"Unzipped size must be smaller than {MAX_UNPACKED} bytes"
        raise InvalidParameterValueException(message)
