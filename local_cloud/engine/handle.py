"""Installs the engine behind moto's Step Functions API, and takes it out again."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.core import responses as core
from moto.core.utils import method_names_from_class
from moto.stepfunctions import responses, urls

from local_cloud.engine.backend import EngineBackend
from local_cloud.engine.integrations import Services
from local_cloud.engine.replies import Tokens
from local_cloud.engine.responses import EngineResponse
from local_cloud.engine.roles import Roles
from local_cloud.engine.runs import Runs
from local_cloud.engine.world import World
from local_cloud.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from local_cloud.clock import Clock
    from local_cloud.context import Context
    from local_cloud.engine.execution import Execution

_CLOSE_SECONDS = 5.0
_SWITCH_SECONDS = 0.0005
"""How long a thread may keep Python to itself while others could run; CPython's 5 ms delay every answer."""


class Engine:
    """The running engine: all accounts' executions, their threads and tokens."""

    def __init__(self, context: Context, clock: Clock, path: Path | None) -> None:
        self.clock = clock
        self._context = context
        self.tokens = Tokens()
        self.workers = Workers("step-functions")
        self.runs = Runs(path)
        self._lock = threading.Lock()
        self._backend = type("InstalledBackend", (EngineBackend,), {"engine": self})
        # Not moto's own dictionary, which moto empties as it starts.
        self._backends: dict[tuple[str, str], EngineBackend] = {}
        self._patches: list[Any] = [
            patch.object(responses, "get_backend", self.backend),
            patch.dict(urls.url_paths, {"{0}/$": EngineResponse.dispatch}),
            # Moto looks through all members of a class for each request: a tenth of its time.
            patch.object(core, "method_names_from_class", functools.cache(method_names_from_class)),
        ]
        self._switch_seconds = sys.getswitchinterval()

    def world(self, account: str, region: str) -> World:
        """Return the surroundings of an execution."""
        return World(
            clock=self.clock,
            tokens=self.tokens,
            workers=self.workers,
            services=Services(self, Roles(context=self._context, account=account), region),
            region=region,
        )

    def execution(self, arn: str) -> Execution:
        """Return an execution of any account and region; raises moto's ExecutionDoesNotExist."""
        _, _, _, region, account, *_ = f"{arn}:::::".split(":")
        return self.backend(account, region).describe_execution(arn)

    def backend(self, account: str, region: str) -> EngineBackend:
        """Return the state machines and executions of one account and region."""
        with self._lock:
            if (account, region) not in self._backends:
                self._backends[account, region] = self._backend(region, account)
            return self._backends[account, region]

    def open(self) -> None:
        """Put the engine behind the API, with what earlier processes left."""
        for region, account in self.runs.places():
            self.backend(account, region).restore()
        for each in self._patches:
            each.start()
        sys.setswitchinterval(min(self._switch_seconds, _SWITCH_SECONDS))

    def close(self) -> None:
        """Suspend every execution, wait for its threads, and give the API back to moto; may be repeated."""
        patches, self._patches = self._patches, []
        if patches:
            sys.setswitchinterval(self._switch_seconds)
        for execution in self._running():
            execution.suspend()
        for each in reversed(patches):
            each.stop()
        self.workers.join(_CLOSE_SECONDS)
        self.runs.close()

    def resume(self, arn: str | None = None) -> list[Execution]:
        """Go on with the running executions of earlier processes, or with one, and return them.

        Steps that had ended are not called again. Raises moto's ExecutionDoesNotExist; an execution that
        has ended is returned as it is. One execution brings those with it that it waits for.
        """
        chosen = self._running() if arn is None else self._family(arn)
        for execution in chosen:
            execution.start()
        return chosen

    def _family(self, arn: str) -> list[Execution]:
        children = [self._family(child.arn) for child in self.runs.children(arn)]
        return [self.execution(arn), *(execution for family in children for execution in family)]

    def _running(self) -> list[Execution]:
        with self._lock:
            backends = list(self._backends.values())
        return [execution for backend in backends for execution in backend.running()]


def install(context: Context, *, clock: Clock | None = None, path: Path | None = None) -> Engine:
    """Run state machines of every account in this process; call it before `mock_aws().start()`.

    What they come to is kept in the file `path`, or only in memory. Executions that an earlier process left
    running go on when `Engine.resume` is called; answers to their tokens are accepted at once.
    """
    engine = Engine(context, clock or context.clock, path)
    engine.open()
    return engine
