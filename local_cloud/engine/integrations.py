"""Every integration by its name: the optimised ones, and `aws-sdk` for any action of any service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.engine.children import StartExecution
from local_cloud.engine.invocation import LambdaInvocation

if TYPE_CHECKING:
    from local_cloud.engine.handle import Engine
    from local_cloud.engine.roles import Roles
    from local_cloud.engine.world import Prompt, Service


class Services(dict[str, "Service | Prompt"]):
    """The services that the machines of one account and region call."""

    def __init__(self, engine: Engine, roles: Roles, region: str) -> None:
        start = StartExecution(engine=engine, roles=roles, region=region)
        super().__init__(
            {
                "lambda:invoke": LambdaInvocation(roles=roles, region=region),
                "states:startExecution": start,
                "states:startExecution.sync:2": start.that_waits(),
            }
        )
        self._roles = roles

    def __missing__(self, name: str) -> Service | Prompt:
        """Return the call of `aws-sdk:<service>:<action>`, whose models are read when it is first used."""
        from local_cloud.engine.sdk import SdkCall, action_of

        self[name] = SdkCall(action=action_of(name), roles=self._roles)
        return self[name]
