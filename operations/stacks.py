"""CDK as a process: deploying the platform's stacks, and the commands that do so."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operations.errors import DENIED, OperationError, error_code
from operations.session import ask
from pipelines import platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from operations.session import Aws, Caller, Settings
    from pipelines.usecase import UseCase

ORCHESTRATOR = "edgepipe-orchestrator"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What to deploy, with whose credentials, from which use cases.

    `account` is where all of it goes, and `option` what chooses its profile on our command line.
    """

    stacks: Sequence[str]
    account: str
    option: str = "--profile"
    usecases: Path
    settings: Settings

    def words(self) -> list[str]:
        """Return CDK's arguments."""
        app = shlex.join([sys.executable, "-m", "stacks.app"])
        profile = ["--profile", self.settings.profile] if self.settings.profile else []
        context = ["--context", f"usecases={self.usecases.as_posix()}"]
        return ["deploy", *self.stacks, "--exclusively", "--app", app, *context, *profile]

    def command(self) -> str:
        """Return the command that a person would type."""
        return f"npx cdk {shlex.join(self.words())}"


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """The AWS CLI's profiles of a use case's accounts; None is whatever the settings say."""

    usecase: str | None = None
    data: str | None = None


def plan_usecase(
    usecase: UseCase, settings: Settings, profiles: Profiles, folder: Path
) -> Iterator[Deployment]:
    """Yield what a use case takes, in its order: one deployment for each of its accounts."""
    yield Deployment(
        stacks=[ORCHESTRATOR], account=usecase.orchestrator.account, usecases=folder, settings=settings
    )
    yield Deployment(
        stacks=[f"edgepipe-usecase-{usecase.id}"],
        account=usecase.account,
        option="--usecase-profile",
        usecases=folder,
        settings=replace(settings, profile=profiles.usecase or settings.profile),
    )
    if usecase.data:
        yield Deployment(
            stacks=[f"edgepipe-data-{usecase.id}"],
            account=usecase.data.account,
            option="--data-profile",
            usecases=folder,
            settings=replace(settings, profile=profiles.data or settings.profile),
        )


def deploy(deployment: Deployment) -> int:
    """Run CDK and return its exit code. Raises OperationError for a tool that is not there."""
    return subprocess.run([*find_cdk(), *deployment.words()], check=False).returncode  # noqa: S603 - CDK itself


def require_bootstrap(aws: Aws, caller: Caller) -> None:
    """Raise OperationError where CDK has never been set up; who may not look is let through to CDK."""
    try:
        found = ask(aws.client("ssm").get_parameter, "ParameterNotFound", Name=platform.BOOTSTRAP)
    except Exception as error:
        if error_code(error) in DENIED:
            return
        raise
    if found is None:
        where = f"{caller.region} of account {caller.account}"
        message = (
            f"CDK has never been set up in {where}: npx cdk bootstrap aws://{caller.account}/{caller.region}"
        )
        raise OperationError(message)


def find_cdk() -> list[str]:
    """Return the command that is CDK here. Raises OperationError with the command that installs it."""
    if importlib.util.find_spec("aws_cdk") is None:
        message = "deploying needs the CDK's library, which is not installed: pip install 'edgepipe[stacks]'"
        raise OperationError(message)
    if found := shutil.which("cdk"):
        return [found]
    if found := shutil.which("npx"):
        return [found, "--yes", "aws-cdk@2"]
    message = "deploying needs the CDK's command, which is not there: npm install --global aws-cdk"
    raise OperationError(message)
