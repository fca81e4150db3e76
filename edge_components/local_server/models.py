"""The models in service: loaded and unloaded on order, the old one serving until the new one does."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .errors import EngineError, ModelError, RequestError, UnknownModelError
from .kserve import ModelState
from .repository import Generation, ModelRepository, Record, build_parts, check_name

LOG = logging.getLogger(__name__)
READY = "READY"


class Control(Protocol):
    """What the engine offers for models; `kserve.ModelControl` is the real one."""

    def load(self, name: str) -> None:
        """Load a model and what it is composed of."""

    def unload(self, name: str) -> None:
        """Unload a model and what it is composed of."""

    def states(self) -> Mapping[str, ModelState]:
        """Give every model that the engine knows."""


class Models:
    """Every model of this device, one load or unload at a time."""

    def __init__(self, *, repository: ModelRepository, control: Control) -> None:
        self._repository = repository
        self._control = control
        self._loaded: dict[str, Generation] = {}
        self._failures: dict[str, str] = {}
        self._change = threading.Lock()

    def load(self, name: str, source: Path, version: str) -> None:
        """Put a model into service in place of its older version; ModelError leaves that one serving.

        The engine swaps the parts one after the other. Where that could put one version's labels on the
        other's scores, the old version is taken out first.
        """
        check_name(name)
        with self._change:
            old = self._loaded.get(name)
            new = self._repository.stage(name, source, version)
            try:
                if old and not new.can_follow(old):
                    self._retire(old)
                self._bring_up(new)
            except (ModelError, EngineError):
                self._take_back(new, old)
                raise
            self._put(new)
            if old:
                self._repository.discard(old)
        LOG.info("model %s version %s is serving", name, version or "unknown")

    def unload(self, name: str) -> None:
        """Take a model out of service; UnknownModelError if it is not in service."""
        with self._change:
            self._retire(self.find(check_name(name)))
            self._repository.withdraw(name)
        LOG.info("model %s is unloaded", name)

    def find(self, name: str | None) -> Generation:
        """Give the named model, or the only one; UnknownModelError names those there are."""
        loaded = dict(self._loaded)
        if name is None and len(loaded) == 1:
            return next(iter(loaded.values()))
        if name in loaded:
            return loaded[name]
        known = f"loaded models: {', '.join(sorted(loaded)) or 'none'}"
        if name is None and loaded:
            message = f"several models are loaded, so say which with ?model=NAME; {known}"
            raise RequestError(message)
        message = f"no model is loaded; {known}" if name is None else f"no model {name[:100]!r}; {known}"
        raise UnknownModelError(message)

    def states(self) -> dict[str, str]:
        """Say of each model READY, or what is wrong with it."""
        known = self._control.states()
        states = {name: _render_state(name, known) for name in self._loaded}
        return dict(sorted((self._failures | states).items()))

    def restore(self) -> None:
        """Load what was in service before a restart; a model that fails now is reported in `states`."""
        for record in self._repository.reset():
            self._restore_one(record)

    def _restore_one(self, record: Record) -> None:
        try:
            self.load(record.model, record.source, record.version)
        except RequestError as error:
            LOG.warning("model %s could not be loaded again: %s", record.model, error)
            self._failures[record.model] = f"FAILED: {error}"

    def _put(self, generation: Generation) -> None:
        self._loaded[generation.model] = generation
        self._failures.pop(generation.model, None)

    def _retire(self, generation: Generation) -> None:
        self._loaded.pop(generation.model, None)
        for part in reversed(build_parts(generation.model)):
            self._control.unload(part)

    def _bring_up(self, generation: Generation) -> None:
        """Load the whole where nothing serves yet, which is quicker; else part by part.

        Asked for the whole, Triton reports success also where a part failed and its old version stayed.
        """
        self._repository.activate(generation)
        *parts, whole = build_parts(generation.model)
        try:
            for name in parts if generation.model in self._loaded else [whole]:
                self._control.load(name)
        except ModelError as error:
            raise ModelError(self._render_reasons(generation.model, str(error))) from error
        state = _render_state(generation.model, self._control.states())
        if state != READY:
            message = f"model {generation.model!r} did not become ready: {state}"
            raise ModelError(message)

    def _take_back(self, new: Generation, old: Generation | None) -> None:
        if old is None:
            self._clear(new)
            return
        try:
            self._bring_up(old)
        except (ModelError, EngineError) as error:
            LOG.error("after a failed load of %s, its old version cannot serve: %s", old.model, error)
            self._loaded.pop(old.model, None)
            self._failures[old.model] = f"FAILED: {error}"
        else:
            self._put(old)
            self._repository.discard(new)

    def _render_reasons(self, name: str, first: str) -> str:
        known = self._control.states()
        reasons = [known[part].reason for part in build_parts(name)[:-1] if part in known]
        return "; ".join(shorten(reason) for reason in filter(None, reasons)) or shorten(first)

    def _clear(self, generation: Generation) -> None:
        """Remove a model that never served; what the engine says to that changes nothing."""
        try:
            self._retire(generation)
        except (ModelError, EngineError) as error:
            LOG.warning("after a failed load, the engine kept a part of %s: %s", generation.model, error)
        self._repository.withdraw(generation.model)


def shorten(reason: str) -> str:
    """Leave out the Python stack that Triton appends to a model's error."""
    return " ".join(reason.partition("\n\nAt:\n")[0].split())


def _render_state(name: str, known: Mapping[str, ModelState]) -> str:
    """READY only if all three parts are: a main model stays READY when its base is gone."""
    absent = ModelState(name=name, state="UNAVAILABLE", reason="unknown to the engine")
    for part in build_parts(name):
        state = known.get(part, absent)
        if state.state != READY:
            return f"{state.state}: {part}: {state.reason}"
    return READY
