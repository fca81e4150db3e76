"""Where a call to the embedded AWS is noticed: which response answers it and which backends it touches."""

from __future__ import annotations

import contextvars
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.core.base_backend import AccountSpecificBackend, BaseBackend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.responses import BaseResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Address = tuple[str, str, str]
"""A backend: service, account, region."""
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_ACTIONS = (
    *("BatchGet", "Describe", "Get", "Head", "Invoke", "List", "Lookup", "Query", "Scan", "Search"),
    *("Select", "Simulate", "Test", "Validate"),
)


@dataclass
class Call:
    """One call while it is carried out."""

    response: BaseResponse | None = None
    touched: dict[Address, BaseBackend] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The operation's name; empty for S3, which has only methods and addresses."""
        if self.response is None or self.response.service_name == "s3":
            return ""
        return str(self.response._get_action() or "")

    @property
    def changes(self) -> bool:
        """Whether the call may change something."""
        if self.response is None:
            return False
        if self.action:
            return not self.action.startswith(_READING_ACTIONS)
        return self.response.method not in _READING_METHODS


_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("call", default=None)


class Watch:
    """Watches every call of this process and of its server; `kept` is called before the reply is seen."""

    def __init__(self, kept: Callable[[Call], None]) -> None:
        self._kept = kept
        self._patches: list[Any] = [
            patch.object(BotocoreStubber, "process_request", self._carry_out()),
            patch.object(BaseResponse, "setup_class", _note_response()),
            patch.object(AccountSpecificBackend, "__getitem__", _note_backend()),
        ]

    def open(self) -> None:
        """Begin to watch."""
        for each in self._patches:
            each.start()

    def close(self) -> None:
        """Watch no more; may be repeated."""
        patches, self._patches = self._patches, []
        for each in patches:
            each.stop()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Watch the block as one call; what it changed is kept when the block ends well."""
        call = Call()
        token = _call.set(call)
        try:
            yield
        finally:
            _call.reset(token)
        if call.changes:
            self._kept(call)

    def _carry_out(self) -> Callable[..., Any]:
        process = BotocoreStubber.process_request

        def process_request(stubber: BotocoreStubber, request: Any) -> Any:  # noqa: ANN401 - moto's
            with self.call():
                return process(stubber, request)

        return process_request


def _note_response() -> Callable[..., None]:
    setup = BaseResponse.setup_class

    def setup_class(response: BaseResponse, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - moto's
        setup(response, *args, **kwargs)
        call = _call.get()
        if call is not None:
            # What was touched so far only found the way to the response and the caller's account.
            call.response, call.touched = response, {}

    return setup_class


def _note_backend() -> Callable[..., BaseBackend]:
    find = AccountSpecificBackend.__getitem__

    def get(regions: AccountSpecificBackend[BaseBackend], region: str) -> BaseBackend:
        backend: BaseBackend = find(regions, region)
        call = _call.get()
        if call is not None:
            call.touched[regions.service_name, regions.account_id, backend.region_name] = backend
        return backend

    return get
