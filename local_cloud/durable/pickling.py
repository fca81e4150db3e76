"""Moto's objects as bytes: pickles in which what belongs to a process is named instead of copied."""

from __future__ import annotations

import copyreg
import io
import pickle
import threading
from collections import defaultdict
from types import FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from moto.core.base_backend import BackendDict, BaseBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTEMPTS = 100
_LOCKS: Mapping[type, str] = {type(threading.Lock()): "Lock", type(threading.RLock()): "RLock"}


class UnkeptError(Exception):
    """Something of a service's state cannot be written down."""


class Pickler(pickle.Pickler):
    """Writes the state of one backend; other backends, locks and local functions are named only."""

    def __init__(self, file: io.BytesIO, backend: BaseBackend) -> None:
        super().__init__(file, protocol=5)
        self._backend = backend

    def persistent_id(self, obj: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - any object
        """Return the name of what is not copied."""
        if obj is self._backend:
            return ("backend",)
        if isinstance(obj, BaseBackend):
            return ("backend", *_address(obj))
        if type(obj) in _LOCKS:
            return ("lock", _LOCKS[type(obj)])
        if isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__:
            return ("function", obj.__qualname__)
        return None

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - as pickle has it
        """Write dictionaries of weak references, and those with an own `__init__`, as their items."""
        if isinstance(obj, WeakValueDictionary):
            return WeakValueDictionary, (), None, None, iter(list(obj.items()))
        if isinstance(obj, defaultdict) and type(obj) is not defaultdict:
            state = (vars(obj), {"default_factory": obj.default_factory})
            return copyreg.__newobj__, (type(obj),), state, None, iter(list(obj.items()))  # type: ignore[attr-defined] # typeshed leaves it out
        return NotImplemented


class Unpickler(pickle.Unpickler):
    """Reads what `Pickler` wrote into the state of a new backend."""

    def __init__(self, body: bytes, backend: BaseBackend) -> None:
        super().__init__(io.BytesIO(body))
        self._backend = backend

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - what `persistent_id` returned
        """Return what a name stands for in this process."""
        kind, *rest = pid
        if kind == "lock":
            return getattr(threading, rest[0])()
        if kind == "function":
            return _local_functions(self._backend)[rest[0]]
        return backend_at(*rest) if rest else self._backend


def dumps(value: object, backend: BaseBackend, pickler: type[Pickler] = Pickler) -> bytes:
    """Return a value of a backend's state as bytes; raises UnkeptError."""
    for attempt in range(_ATTEMPTS):
        file = io.BytesIO()
        try:
            pickler(file, backend).dump(value)
        except RuntimeError as error:
            # Another call changes a dictionary meanwhile; it will keep its change itself.
            if "during iteration" not in str(error) or attempt == _ATTEMPTS - 1:
                raise
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise UnkeptError(str(error)) from error
        else:
            return file.getvalue()
    raise AssertionError


def loads(body: bytes, backend: BaseBackend) -> Any:  # noqa: ANN401 - what was written
    """Return what `dumps` wrote, as a part of `backend`."""
    return Unpickler(body, backend).load()


def backend_at(service: str, account: str, region: str) -> BaseBackend:
    """Return a backend by its address, made if it is not there yet."""
    import moto.backends
    from moto.awslambda.utils import get_backend

    if service == "lambda":  # moto has two of it
        functions: BaseBackend = get_backend(account, region)
        return functions
    backends: Any = moto.backends.get_backend(service)  # type: ignore[call-overload] # any service's name
    backend: BaseBackend = backends[account][region]
    return backend


def _address(backend: BaseBackend) -> tuple[str, str, str]:
    for backends in list(_backend_dicts()):
        for account, regions in list(backends.items()):
            for region, each in list(regions.items()):
                if each is backend:
                    return backends.service_name, account, region
    message = f"a {type(backend).__name__} that no account has"
    raise UnkeptError(message)


def _backend_dicts() -> list[BackendDict[BaseBackend]]:
    found: list[BackendDict[BaseBackend]] = vars(BackendDict)["_instances"]
    return found


def _local_functions(backend: BaseBackend) -> dict[str, FunctionType]:
    """Return the local functions that a new backend uses as default factories, by name."""
    values = [*vars(backend).values()]
    values += [inner for value in values for inner in getattr(value, "__dict__", {}).values()]
    factories = [value.default_factory for value in values if isinstance(value, defaultdict)]
    return {each.__qualname__: each for each in factories if isinstance(each, FunctionType)}
