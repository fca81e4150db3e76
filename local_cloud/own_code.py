"""Code that a pipeline's author wrote, run in this process: the files of a function's own zip, kept apart.

Lambda gives each function a process of its own, so two functions may both have a `helper.py`. Here an
`import` inside such a file finds the files beside it first, under names of their own, then what is installed.
What it does not do: install a requirements.txt (what the files import must be installed here), find files by
`importlib.import_module`, or keep folders: only the .py files at the top of the zip are there.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import json
import re
import sys
import tarfile
import threading
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import ModuleType

DECLARATION = "edgepipe-custom.json"
"""The file that `tasks.custom` reads: {"module", "function", "gives", "outputs"}."""
_FILE = re.compile(r"[A-Za-z0-9_-]{1,100}\.(py|json)")


class OwnCode:
    """The unpacked files of one version of a function; its modules are imported once, as in a warm Lambda."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder = folder
        self._digest = digest
        self._modules: dict[str, ModuleType] = {}
        self._lock = threading.RLock()

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._folder

    def import_module(self, name: str) -> ModuleType:
        """Return one of the modules; raises ImportError, or whatever its own code raises."""
        with self._lock:
            if name in self._modules:
                return self._modules[name]
            path = self._folder / f"{name}.py"
            if not path.is_file():
                message = f"No module named '{name}'"
                raise ModuleNotFoundError(message, name=name)
            return self._load(name, path)

    def close(self) -> None:
        """Forget the modules."""
        with self._lock:
            for module in self._modules.values():
                sys.modules.pop(module.__name__, None)
            self._modules.clear()

    def _load(self, name: str, path: Path) -> ModuleType:
        unique = f"edgepipe_custom_{self._digest}_{name}"
        spec = importlib.util.spec_from_file_location(unique, path)
        if spec is None or spec.loader is None:
            message = f"cannot import {path}"
            raise ImportError(message)
        module = importlib.util.module_from_spec(spec)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        # Dataclasses and the like look their module up by its name while it is being run.
        self._modules[name] = sys.modules[unique] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del self._modules[name], sys.modules[unique]
            raise
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the names of the built-in __import__
        locals: Mapping[str, object] | None = None,  # noqa: A002 - as above
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> Any:  # noqa: ANN401 - a module
        if level == 0 and (self._folder / f"{name}.py").is_file():
            return self.import_module(name)
        return builtins.__import__(name, globals, locals, fromlist, level)


class CodeStore:
    """The unpacked code of all functions that bring their own, by the digest of their zips."""

    def __init__(self, root: Callable[[], Path]) -> None:
        self._root = root
        self._codes: dict[str, OwnCode] = {}
        self._lock = threading.Lock()

    def code(self, zipped: bytes, digest: str) -> OwnCode:
        """Return the code of a zip, unpacked at the first call."""
        with self._lock:
            if digest not in self._codes:
                folder = self._root() / digest[:16]
                unpack(zipped, folder)
                self._codes[digest] = OwnCode(folder, digest[:16])
            return self._codes[digest]

    def close(self) -> None:
        """Forget every module; a later call imports it anew."""
        with self._lock:
            for code in self._codes.values():
                code.close()


def pack(archive: bytes, declaration: Mapping[str, Any]) -> bytes:
    """Return a function's zip: the files of an asset's .tar.gz, and what to call; same input, same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as files, zipfile.ZipFile(buffer, "w") as packed:
        for entry in files:
            file = files.extractfile(entry)
            if file is not None:
                packed.writestr(zipfile.ZipInfo(entry.name), file.read())
        packed.writestr(zipfile.ZipInfo(DECLARATION), json.dumps(declaration, sort_keys=True))
    return buffer.getvalue()


def unpack(zipped: bytes, folder: Path) -> None:
    """Write the files at the top of a zip into a folder; what lies deeper or has an odd name is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        for info in archive.infolist():
            if _FILE.fullmatch(info.filename):
                (folder / info.filename).write_bytes(archive.read(info))
