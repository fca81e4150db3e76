"""The model repository under explicit control: nothing is loaded until it is asked for.

A load brings up everything new first and swaps it in together, so that a model that cannot start leaves
what served before untouched.
"""

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from .config import ModelConfig, parse_config
from .errors import FallbackError, NotFoundError
from .execution import VERSION, EnsembleModel, Model, load_python_model

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in service, the state of its files when it was loaded, and whether it was asked for by name."""

    model: Model
    fingerprint: Fingerprint
    explicit: bool


class Repository:
    """The models of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Loaded] = {}
        self._failures: dict[str, str] = {}
        self._change = threading.Lock()

    def get(self, name: str) -> Model:
        """Give a model that is in service."""
        loaded = self._loaded.get(name)
        if loaded is None:
            message = f"model {name!r} is not loaded"
            raise NotFoundError(message)
        return loaded.model

    def load(self, name: str) -> None:
        """Put a model and what it is composed of into service, or leave everything as it was."""
        with self._change:
            try:
                fresh = self._prepare(name)
            except FallbackError as error:
                self._failures[name] = str(error)
                message = f"failed to load {name!r}: {error}"
                raise FallbackError(message) from error
            self._failures.pop(name, None)
            self._swap(fresh)

    def unload(self, name: str, *, dependents: bool) -> None:
        """Take a model out of service, with `dependents` also what only it is composed of."""
        with self._change:
            loaded = self._loaded.get(name)
            names = [name] if loaded else []
            if loaded and dependents:
                steps = {step.model for step in loaded.model.config.steps}
                names += [each for each in sorted(steps) if self._is_only_part_of(each, name)]
            gone = [self._loaded.pop(each) for each in names if each in self._loaded]
            self._rewire_all()
        for each in gone:
            each.model.close()

    def close(self) -> None:
        """Release every model."""
        for name in list(self._loaded):
            self.unload(name, dependents=False)

    def index(self) -> list[dict[str, str]]:
        """List every model folder with its state, as the protocol's repository index does."""
        return [self._render_row(path.name) for path in sorted(self._folder.glob("*/"))]

    def _render_row(self, name: str) -> dict[str, str]:
        if name in self._loaded:
            return {"name": name, "version": VERSION, "state": "READY"}
        if name in self._failures:
            return {"name": name, "version": VERSION, "state": "UNAVAILABLE", "reason": self._failures[name]}
        return {"name": name}

    def _prepare(self, name: str) -> dict[str, Loaded]:
        config = self._read_config(name)
        fresh: dict[str, Loaded] = {}
        try:
            for step in config.steps:
                self._prepare_part(step.model, fresh)
            fresh[name] = self._start(config, fresh, explicit=True)
        except BaseException:
            for each in fresh.values():
                each.model.close()
            raise
        return fresh

    def _prepare_part(self, name: str, fresh: dict[str, Loaded]) -> None:
        current = self._loaded.get(name)
        if name in fresh or (current and current.fingerprint == read_fingerprint(self._folder / name)):
            return
        config = self._read_config(name)
        if config.steps:
            message = f"{name!r} is an ensemble inside an ensemble; wire its steps directly"
            raise FallbackError(message)
        fresh[name] = self._start(config, fresh, explicit=bool(current and current.explicit))

    def _start(self, config: ModelConfig, fresh: dict[str, Loaded], *, explicit: bool) -> Loaded:
        folder = self._folder / config.name
        fingerprint = read_fingerprint(folder)
        if not config.steps:
            return Loaded(model=load_python_model(config, folder), fingerprint=fingerprint, explicit=explicit)
        parts = {step.model: (fresh.get(step.model) or self._loaded[step.model]) for step in config.steps}
        model = EnsembleModel(config=config, models={name: part.model for name, part in parts.items()})
        return Loaded(model=model, fingerprint=fingerprint, explicit=explicit)

    def _swap(self, fresh: dict[str, Loaded]) -> None:
        replaced = [self._loaded[name] for name in fresh if name in self._loaded]
        self._loaded.update(fresh)
        self._rewire_all()
        for each in replaced:
            each.model.close()

    def _rewire_all(self) -> None:
        for name, each in list(self._loaded.items()):
            if each.model.config.steps:
                self._loaded[name] = self._rewire(each)

    def _rewire(self, ensemble: Loaded) -> Loaded:
        """Let an ensemble use the parts that are in service now."""
        config = ensemble.model.config
        models = {
            step.model: self._loaded[step.model].model
            for step in config.steps
            if step.model in self._loaded  # a part that is gone fails the request, as in Triton
        }
        return replace(ensemble, model=EnsembleModel(config=config, models=models))

    def _is_only_part_of(self, part: str, whole: str) -> bool:
        if part not in self._loaded or self._loaded[part].explicit:
            return False
        others = [each for name, each in self._loaded.items() if name != whole]
        return not any(step.model == part for each in others for step in each.model.config.steps)

    def _read_config(self, name: str) -> ModelConfig:
        path = self._folder / name / "config.pbtxt"
        if Path(name).name != name or not path.is_file():
            message = f"the model repository holds no {name}/config.pbtxt"
            raise FallbackError(message)
        return parse_config(path.read_text(encoding="utf-8"), name)


def read_fingerprint(folder: Path) -> Fingerprint:
    """Describe a model's files by name, time and size, following links; folders count by time as well."""
    rows = [(folder, folder.stat())]
    rows += [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return tuple((str(path.relative_to(folder)), stat.st_mtime_ns, stat.st_size) for path, stat in rows)
