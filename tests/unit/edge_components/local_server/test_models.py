from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from edge_components.local_server.errors import EngineError, ModelError, RequestError, UnknownModelError
from edge_components.local_server.kserve import ModelState
from edge_components.local_server.models import Models, shorten
from edge_components.local_server.repository import ModelRepository, build_parts, check_name
from tests.functional.local_servers import RUNTIME
from tests.functional.model_packages import write_package

if TYPE_CHECKING:
    from pathlib import Path


class InMemoryEngine:
    """An engine that loads whatever the repository shows, except models that contain the word `broken`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serving: dict[str, str] = {}
        self.orders: list[str] = []
        self.dead = False

    def load(self, name: str) -> None:
        self.orders.append(f"load {name}")
        names = [name] if name.startswith(("base_", "marshal_")) else build_parts(name)
        fresh = {each: self._read(each) for each in names}
        for each, content in fresh.items():
            if "broken" in content:
                message = f"{each} is broken\n\nAt:\n  model.py(1)"
                raise ModelError(message)
        self.serving |= fresh

    def unload(self, name: str) -> None:
        self.orders.append(f"unload {name}")
        self.serving.pop(name, None)

    def states(self) -> dict[str, ModelState]:
        if self.dead:
            message = "the engine is gone"
            raise EngineError(message)
        return {name: ModelState(name=name, state="READY", reason="") for name in self.serving}

    def _read(self, name: str) -> str:
        files = sorted((self.folder / name / "1").iterdir())
        return "".join(path.read_text() for path in files)


class Device:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = ModelRepository(models=folder / "models", generations=folder / "generations")
        self.engine = InMemoryEngine(folder / "models")
        self.restart()

    def restart(self) -> None:
        self.engine.serving.clear()
        self.engine.orders.clear()
        self.models = Models(repository=self.repository, control=self.engine)

    def package(self, folder: str, model: str, labels: tuple[str, ...] = ("a", "b")) -> Path:
        root = self.folder / "packages" / folder
        write_package(root, RUNTIME, name="m", model=model.encode(), labels=labels)
        return root / "models"


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_loads_the_whole_first_and_parts_later(device: Device) -> None:
    device.models.load("m", device.package("v1", "one"), "1.0.0")
    device.models.load("m", device.package("v2", "two"), "2.0.0")
    assert device.engine.orders == ["load m", "load base_m", "load marshal_m"]
    assert "two" in device.engine.serving["base_m"]
    assert device.models.find(None).version == "2.0.0"
    assert device.models.states() == {"m": "READY"}


def test_other_labels_never_meet_old_scores(device: Device) -> None:
    device.models.load("m", device.package("v1", "one"), "1")
    device.models.load("m", device.package("v2", "two", labels=("b", "a")), "2")
    first, *retired, last = device.engine.orders
    assert (first, last) == ("load m", "load m")
    assert set(retired) == {"unload m", "unload base_m", "unload marshal_m"}
    assert device.models.find("m").labels == ("b", "a")


@pytest.mark.parametrize("labels", [("a", "b"), ("b", "a")])
def test_a_broken_version_leaves_the_old_one(device: Device, labels: tuple[str, str]) -> None:
    device.models.load("m", device.package("v1", "one"), "1")
    with pytest.raises(ModelError, match=r"^base_m is broken$"):
        device.models.load("m", device.package("v2", "broken", labels), "2")
    assert "one" in device.engine.serving["base_m"]
    assert device.models.find("m").version == "1"
    assert len(list((device.folder / "generations" / "m").glob("[0-9]*"))) == 1


def test_an_old_version_that_cannot_come_back_is_reported(device: Device) -> None:
    old = device.package("v1", "one")
    device.models.load("m", old, "1")
    (old / "base_m" / "1" / "model.onnx").write_text("broken meanwhile")
    with pytest.raises(ModelError):
        device.models.load("m", device.package("v2", "broken"), "2")
    assert device.models.states() == {"m": "FAILED: base_m is broken"}
    with pytest.raises(UnknownModelError):
        device.models.find("m")


def test_a_missing_part_is_seen(device: Device) -> None:
    device.models.load("m", device.package("v1", "one"), "1")
    del device.engine.serving["base_m"]
    assert device.models.states() == {"m": "UNAVAILABLE: base_m: unknown to the engine"}


def test_restores_what_served(device: Device) -> None:
    device.models.load("m", device.package("v1", "one"), "1.0.0")
    device.restart()
    device.models.restore()
    assert device.models.find("m").version == "1.0.0"
    assert device.models.states() == {"m": "READY"}


def test_restoring_skips_what_was_removed_and_reports_what_fails(device: Device) -> None:
    source = device.package("v1", "one")
    device.models.load("m", source, "1")
    (source / "marshal_m" / "1" / "model.py").write_text("broken")
    device.restart()
    device.models.restore()
    assert device.models.states() == {"m": "FAILED: marshal_m is broken"}
    shutil.rmtree(source)
    device.restart()
    device.models.restore()
    assert device.models.states() == {}


def test_restores_around_a_broken_record(device: Device) -> None:
    device.models.load("m", device.package("v1", "one"), "1")
    (device.folder / "generations" / "m" / "current" / "load.json").write_text("{")
    device.restart()
    device.models.restore()
    assert device.models.states() == {}


def test_a_dead_engine_is_no_answer(device: Device) -> None:
    device.engine.dead = True
    with pytest.raises(EngineError):
        device.models.states()


def test_names_the_models_there_are(device: Device) -> None:
    with pytest.raises(UnknownModelError, match="no model is loaded"):
        device.models.find(None)
    device.models.load("m", device.package("v1", "one"), "1")
    with pytest.raises(UnknownModelError, match="no model 'x'; loaded models: m"):
        device.models.find("x")


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "base_m", "marshal_m", "-a", "a" * 101, "ä", "a\n"])
def test_refuses_names(device: Device, name: str) -> None:
    with pytest.raises(RequestError, match="no model name"):
        check_name(name)
    with pytest.raises(RequestError, match="no model name"):
        device.models.load(name, device.folder, "1")


def test_refuses_sources(device: Device) -> None:
    for source in (device.folder / "nowhere", device.folder.relative_to("/")):
        with pytest.raises(ModelError, match=r"no package of model 'm'|absolute path"):
            device.models.load("m", source, "1")
    assert device.engine.orders == []


def test_shortens_what_triton_says() -> None:
    assert shorten("Internal: no\n\nAt:\n  model.py(3): x\n;\n") == "Internal: no"
