"""`edgepipe local serve` in a process of its own, and the ways to it: the AWS CLI and boto3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
AWS = Path(sys.executable).with_name("aws")
SERVE = ("cli.py", "local", "serve", "--port", "0", "--state-dir")
HERE, THERE = "123456789012", "210987654321"


@dataclass(frozen=True)
class Served:
    address: str
    state: Path
    process: subprocess.Popen[str]

    def aws(self, *arguments: str, region: str = "us-east-1", **variables: str) -> Any:
        """Run the AWS CLI and return what it printed, as JSON if it is."""
        done = self.try_aws(*arguments, region=region, **variables)
        assert done.returncode == 0, done.stderr
        try:
            return json.loads(done.stdout or "null")
        except ValueError:
            return done.stdout

    def try_aws(
        self, *arguments: str, region: str = "us-east-1", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": region}
        quiet = {"AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
        return subprocess.run(
            [str(AWS), "--endpoint-url", self.address, "--output", "json", *arguments],
            env={**env, **keys, **quiet, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def serving(state: Path, *options: str, end: signal.Signals = signal.SIGINT) -> Iterator[Served]:
    """`local serve` in a process of its own; it must end well when it is told to, and show no traceback."""
    said = state.with_suffix(".said")
    with said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *SERVE, str(state), *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip(), state, process)
        process.send_signal(end)
        assert process.wait(120) == (0 if end is signal.SIGINT else -end)
        assert "Traceback" not in said.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.communicate()


def client(served: Served, service: str) -> Any:
    """A boto3 client that sends whatever it is given."""
    return boto3.client(
        service,
        endpoint_url=served.address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
