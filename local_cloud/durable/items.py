"""DynamoDB, kept item by item: what a write costs does not grow with the table."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models.dynamo_type import DynamoType

from local_cloud.durable import pickling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import Item
    from moto.dynamodb.models.table import Table

    from local_cloud.store import Store

_BACKENDS = "dynamodb"
_ITEM_ACTIONS = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})

Json = Any


class Items:
    """The tables of all accounts; methods are called one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, backend: DynamoDBBackend, action: str, request: Mapping[str, Json]) -> None:
        """Keep what a call may have changed."""
        if action not in _ITEM_ACTIONS:
            self.keep_all(backend)
            return
        for name, keys in _written(action, request).items():
            table = backend.get_table(name)
            self._store.change(_rows(backend, table), {_key(table, key): _find(table, key) for key in keys})

    def keep_all(self, backend: DynamoDBBackend) -> None:
        """Keep all tables and items of a backend."""
        shells = {name: _shell(table) for name, table in list(backend.tables.items())}
        state = {name: value for name, value in vars(backend).items() if name != "tables"}
        for name in self._store.collections(_rows(backend, None)):
            if name.rsplit("/", 1)[1] not in shells:
                self._store.clear(name)
        for table in list(backend.tables.values()):
            kept = {_key(table, item.attrs): pickle.dumps(item) for item in table.all_items()}
            gone = dict.fromkeys(key for key, _ in self._store.all_bytes(_rows(backend, table)))
            self._store.change(_rows(backend, table), {**gone, **kept})
        body = pickling.dumps({**state, "tables": shells}, backend)
        self._store.put_bytes(_BACKENDS, f"{backend.account_id}/{backend.region_name}", body)

    def restore(self) -> None:
        """Put everything that was kept into moto."""
        for address, body in self._store.all_bytes(_BACKENDS):
            backend: Any = pickling.backend_at("dynamodb", *address.split("/"))
            vars(backend).update(pickling.loads(body, backend))
            for table in backend.tables.values():
                for _, row in self._store.all_bytes(_rows(backend, table)):
                    _add(table, pickle.loads(row))  # noqa: S301 - the owner of the folder is checked


def kept_texts(store: Store, collection: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the key and the string attributes of each kept item; the store's owner has been checked."""
    for key, body in store.all_bytes(collection):
        item: Item = pickle.loads(body)  # noqa: S301 - the owner of the folder is checked
        yield key, {name: each.value for name, each in item.attrs.items() if each.type == "S"}


def _shell(table: Table) -> Table:
    """Return a table without its items."""
    shell = copy.copy(table)
    shell.items = type(table.items)(dict)
    if shell.stream_shard is not None:
        shell.stream_shard = copy.copy(shell.stream_shard)
        shell.stream_shard.table, shell.stream_shard.items = shell, []
    return shell


def _written(action: str, request: Mapping[str, Json]) -> dict[str, list[Mapping[str, Json]]]:
    """Return the items or keys that a call names, by table."""
    found: dict[str, list[Mapping[str, Json]]] = {}
    for table, attributes in _writes(action, request):
        found.setdefault(table, []).append(attributes)
    return found


def _writes(action: str, request: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    if action == "BatchWriteItem":
        for table, writes in request["RequestItems"].items():
            for write in writes:
                put = write.get("PutRequest")
                yield table, put["Item"] if put else write["DeleteRequest"]["Key"]
    elif action == "TransactWriteItems":
        for write in request["TransactItems"]:
            for part in write.values():
                yield part["TableName"], part.get("Item") or part["Key"]
    else:
        yield request["TableName"], request.get("Item") or request["Key"]


def _key(table: Table, attributes: Mapping[str, Json]) -> str:
    """Return the name of an item's row, from the item or its key."""
    keys = _keys(table, attributes)
    return repr([(key.type, key.cast_value) for key in keys])


def _keys(table: Table, attributes: Mapping[str, Json]) -> list[DynamoType]:
    return [DynamoType(attributes[name]) for name in _key_names(table)]


def _find(table: Table, attributes: Mapping[str, Json]) -> bytes | None:
    hash_key, *range_key = _keys(table, attributes)
    item = table.get_item(hash_key, range_key[0] if range_key else None)
    return pickle.dumps(item) if item is not None else None


def _add(table: Table, item: Item) -> None:
    if item.range_key is not None:
        table.items[item.hash_key][item.range_key] = item
    else:
        table.items[item.hash_key] = item  # type: ignore[assignment] # moto's own way without a range key


def _key_names(table: Table) -> Iterable[str]:
    return [name for name in (table.hash_key_attr, table.range_key_attr) if name is not None]


def _rows(backend: DynamoDBBackend, table: Table | None) -> str:
    name = table.name if table is not None else ""
    return f"dynamodb/{backend.account_id}/{backend.region_name}/{name}"
