"""What Greengrass keeps in the local cloud's store, so that the next command finds it: plain JSON documents.

Everything is kept before its effect is visible. Without a store nothing is kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPONENTS = "greengrass.components"
DEPLOYMENTS = "greengrass.deployments"
DEVICES = "greengrass.devices"
"""By account and thing: what the device last reported, for those who only look."""
INSTALLATIONS = "greengrass.installations"
EXECUTIONS = "greengrass.executions"
TAGS = "greengrass.tags"

Document = dict[str, Any]


class Store(Protocol):
    """The part of the local cloud's store that is used here."""

    def put(self, collection: str, key: str, document: Any, /) -> None:  # noqa: ANN401 - any JSON
        """Keep a document."""

    def all(self, collection: str, /) -> Iterator[tuple[str, Any]]:
        """Yield keys and documents in the order of the keys."""

    def delete(self, collection: str, key: str, /) -> None:
        """Forget a document."""


class Memory:
    """The documents of one account; without a store it forgets at once."""

    def __init__(self, store: Store | None, account: str) -> None:
        self._store = store
        self._account = account

    def keep(self, collection: str, key: str, document: Document) -> None:
        """Keep a document before its effect is visible."""
        if self._store is not None:
            self._store.put(collection, f"{self._account}/{key}", {"account": self._account, **document})

    def forget(self, collection: str, key: str) -> None:
        """Forget a document."""
        if self._store is not None:
            self._store.delete(collection, f"{self._account}/{key}")

    def recall(self, collection: str) -> list[Document]:
        """Return the account's documents of a collection."""
        if self._store is None:
            return []
        return [each for _, each in self._store.all(collection) if each["account"] == self._account]


def accounts(store: Store | None) -> list[str]:
    """Return the accounts that have anything in the store."""
    if store is None:
        return []
    return sorted({each["account"] for kind in (COMPONENTS, DEVICES) for _, each in store.all(kind)})


def moment(text: str) -> datetime:
    """Read a time as documents hold it."""
    return datetime.fromisoformat(text)
