"""What every part of the local cloud shares: where its state lies, who it talks as, where events go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from local_cloud.clock import CloudClock
    from local_cloud.store import Store

ORCHESTRATOR_ACCOUNT = "123456789012"
"""Moto's default account: clients made without assuming a role act here."""

ACCOUNT_HEADER = "x-moto-account-id"
"""Names the account in which moto carries out a call; it is taken from inside this process only."""
PRINCIPAL_HEADER = "x-edgepipe-principal"
"""Names who makes a call, by its session's ARN; it is taken from inside this process only."""
SERVED_HEADER = "x-edgepipe-served"
"""Says that a call comes through the endpoint, from a program that outlives this process."""

Event = Mapping[str, Any]
"""An event as EventBridge delivers it: source, detail-type, account, region, resources, detail."""


def _no_listener(_event: Event) -> None:
    """Drop an event, as EventBridge does when no rule matches."""


@dataclass(kw_only=True)
class Context:
    """One local cloud: passed to each emulated service when it is installed."""

    state_dir: Path
    region: str = "us-east-1"
    store: Store | None = None
    """Where services keep what the next command has to find; None in tests that keep nothing."""
    emit: Callable[[Event], None] = _no_listener
    """Delivers an event to whoever listens; must be safe to call from any thread."""
    clock: CloudClock = field(default_factory=SystemClock)
    """What AWS's time is here: whatever waits, expires or stamps goes by it."""
    _clients: dict[tuple[str, str, str | None, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, account: str) -> Any:  # noqa: ANN401 - boto3 clients are made at run time
        """Return the boto3 client that acts inside `account`; made once, safe to share between threads."""
        return self.client_of(None, service, account)

    def client_of(self, session: str | None, service: str, account: str, region: str = "") -> Any:  # noqa: ANN401 - as above
        """Return such a client that acts as a role's session (its ARN), for what depends on who calls."""
        with self._lock:
            key = (service, account, session, region or self.region)
            if key not in self._clients:
                self._clients[key] = self._connect(*key)
            return self._clients[key]

    def log_path(self, log_group: str, stream: str) -> Path:
        """Return the file that holds a CloudWatch log stream, its folder made: logs/<group>/<stream>.log."""
        path = self.state_dir / "logs" / log_group.strip("/") / f"{stream}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _connect(self, service: str, account: str, session: str | None, region: str) -> Any:  # noqa: ANN401 - as above
        """Make a client that needs no role: this is the cloud's own way in, not a user's."""
        import boto3

        client = boto3.client(service, region_name=region)

        def enter(params: dict[str, Any], **_: object) -> None:
            params["headers"][ACCOUNT_HEADER] = account
            if session is not None:
                params["headers"][PRINCIPAL_HEADER] = session

        client.meta.events.register("before-call", enter)
        return client
