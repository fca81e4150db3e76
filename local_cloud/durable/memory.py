"""Keeps moto's state after each change and puts it back when a cloud opens."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import moto

from local_cloud.durable import pickling
from local_cloud.durable.bodies import Bodies
from local_cloud.durable.requests import Address, Call, Watch
from local_cloud.lock import StateFolderError
from local_cloud.store import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from moto.core.base_backend import BaseBackend

    from local_cloud.context import Context
    from local_cloud.store import Store

_BACKENDS = "moto"
_FORMAT = 1
_OWN = frozenset({"stepfunctions", "greengrassv2", "moto_api", "s3", "dynamodb"})
"""Kept by other parts, or nothing to keep."""
_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "sagemaker": frozenset({"training_jobs", "processing_jobs", "labeling_jobs"})
}
"""Attributes that their own part keeps."""


class ForeignStateError(StateFolderError):
    """The folder's state cannot be taken over: another user or another moto wrote it."""


class Memory:
    """The durable side of moto for one state folder."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}
        self._unkept: set[str] = set()
        self._watch = Watch(self._keep)

    def call(self) -> AbstractContextManager[None]:
        """Watch the block as one call that came by another way than boto3 in this process."""
        return self._watch.call()

    def restore(self) -> None:
        """Put back what was kept, then keep every change; moto must have been started.

        Raises ForeignStateError.
        """
        from local_cloud.durable.items import Items
        from local_cloud.durable.objects import Objects

        check_owner(self._folder / FILE_NAME)
        _check_version(self._store)
        self._objects, self._items = (
            Objects(self._store, Bodies(self._folder / "objects")),
            Items(self._store),
        )
        for place, body in self._store.all_bytes(_BACKENDS):
            backend = pickling.backend_at(*cast("Address", tuple(place.split("/"))))
            vars(backend).update(pickling.loads(body, backend))
            self._kept[place] = body
        self._objects.restore()
        self._items.restore()
        self._watch.open()

    def close(self) -> None:
        """Keep nothing more; may be repeated."""
        self._watch.close()

    def _keep(self, call: Call) -> None:
        with self._lock:
            for address, backend in list(call.touched.items()):
                self._keep_backend(call, address, backend)

    def _keep_backend(self, call: Call, address: Address, backend: Any) -> None:  # noqa: ANN401 - any service's
        service, response = address[0], cast("Any", call.response)
        asked = response.service_name == service
        if service == "s3":
            self._objects.keep(response) if asked else self._objects.keep_all()
        elif service == "dynamodb" and asked:
            self._items.keep(backend, call.action, response.params)
        elif service == "dynamodb":
            self._items.keep_all(backend)
        elif service not in _OWN:
            self._keep_whole(address, backend)

    def _keep_whole(self, address: Address, backend: BaseBackend) -> None:
        left_out = _ELSEWHERE.get(address[0], frozenset())
        state = {name: value for name, value in vars(backend).items() if name not in left_out}
        place = "/".join(address)
        try:
            body = pickling.dumps(state, backend)
            if place not in self._kept:
                pickling.loads(body, backend)  # the next life must be able to
        except Exception as error:  # moto has many services, each with objects of its own
            self._warn(address[0], error)
            return
        if self._kept.get(place) != body:
            self._store.put_bytes(_BACKENDS, place, body)
            self._kept[place] = body

    def _warn(self, service: str, error: Exception) -> None:
        if service not in self._unkept:
            self._unkept.add(service)
            words = f"edgepipe: the state of {service} is not kept when this command ends: {error}"
            print(words, file=sys.stderr)


def install(context: Context) -> Memory:
    """Prepare to keep what moto holds; call `restore` once moto has been started."""
    if context.store is None:
        message = "a context without a store can keep nothing"
        raise ValueError(message)
    return Memory(context.store, context.state_dir)


def check_owner(path: Path) -> None:
    """Raise ForeignStateError unless only this user can have written the file: reading it can run code."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        message = (
            f"{path} belongs to user {found.st_uid}, and what it holds would run as you: "
            "name a folder of your own with --state-dir"
        )
        raise ForeignStateError(message)
    if found.st_mode & 0o022:
        message = (
            f"others may write {path}, and what it holds would run as you: if you trust it, chmod go-w {path}"
        )
        raise ForeignStateError(message)


def _check_version(store: Store) -> None:
    ours = {"moto": moto.__version__, "format": _FORMAT}
    kept = store.get(_BACKENDS + " version", "all")
    if kept is None:
        store.put(_BACKENDS + " version", "all", ours)
    elif kept != ours:
        message = (
            f"the state was kept by another edgepipe (moto {kept['moto']}, format {kept['format']}; this is "
            f"moto {ours['moto']}, format {ours['format']}): use that one to end its runs, then remove the "
            "folder, or name another one with --state-dir"
        )
        raise ForeignStateError(message)
