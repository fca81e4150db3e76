"""Installs the engine behind moto's Step Functions API, and takes it out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.core.base_backend import BackendDict
from moto.stepfunctions import responses, urls

from local_cloud.engine.backend import EngineBackend
from local_cloud.engine.integrations import Services
from local_cloud.engine.journal import ForgetfulJournal
from local_cloud.engine.replies import Tokens
from local_cloud.engine.responses import EngineResponse
from local_cloud.engine.roles import Roles
from local_cloud.engine.world import World
from local_cloud.workers import Workers

if TYPE_CHECKING:
    from local_cloud.context import Context
    from local_cloud.engine.clock import Clock
    from local_cloud.engine.execution import Execution

_CLOSE_SECONDS = 5.0


class Engine:
    """The running engine: all accounts' executions, their threads and tokens."""

    def __init__(self, context: Context, clock: Clock) -> None:
        self.clock = clock
        self._context = context
        self.tokens = Tokens()
        self.workers = Workers("step-functions")
        self._journal = ForgetfulJournal()
        backend = type("InstalledBackend", (EngineBackend,), {"engine": self})
        self._backends: BackendDict[EngineBackend] = BackendDict(backend, "stepfunctions")
        self._patches: list[Any] = [
            patch.object(responses, "get_backend", self.backend),
            patch.dict(urls.url_paths, {"{0}/$": EngineResponse.dispatch}),
        ]

    def world(self, account: str, region: str) -> World:
        """Return the surroundings of an execution."""
        return World(
            clock=self.clock,
            journal=self._journal,
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
        return self._backends[account][region]

    def open(self) -> None:
        """Put the engine behind the API."""
        for each in self._patches:
            each.start()

    def close(self) -> None:
        """Suspend every execution, wait for its threads, and give the API back to moto; may be repeated."""
        patches, self._patches = self._patches, []
        for account in list(self._backends.values()):
            for backend in list(account.values()):
                for execution in backend.executions_of():
                    execution.suspend()
        for each in reversed(patches):
            each.stop()
        self.workers.join(_CLOSE_SECONDS)


def install(context: Context, *, clock: Clock | None = None) -> Engine:
    """Run state machines of every account in this process; call it before `mock_aws().start()`."""
    engine = Engine(context, clock or context.clock)
    engine.open()
    return engine
