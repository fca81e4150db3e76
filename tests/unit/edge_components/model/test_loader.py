from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_components.model import loader

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = {
    "EDGEPIPE_ARTIFACT": "/artifact",
    "EDGEPIPE_SERVER_WORK": "/srv/work",
    "EDGEPIPE_MODEL": "m",
    "EDGEPIPE_MODEL_VERSION": "1.0.0",
}


def test_reads_the_environment() -> None:
    order = loader.parse_order(ENVIRONMENT)
    assert order.source == Path("/artifact/models")
    assert order.endpoint == Path("/srv/work/endpoint.json")


def test_lists_what_the_recipe_forgot() -> None:
    with pytest.raises(loader.LoaderError, match="EDGEPIPE_SERVER_WORK, EDGEPIPE_MODEL "):
        loader.parse_order({**ENVIRONMENT, "EDGEPIPE_SERVER_WORK": "", "EDGEPIPE_MODEL": ""})


@pytest.mark.parametrize("endpoint", [None, {"url": "http://127.0.0.1:9", "pid": 1}])
def test_gives_up_on_a_server_that_never_comes(tmp_path: Path, endpoint: Mapping[str, object] | None) -> None:
    if endpoint:
        (tmp_path / "endpoint.json").write_text(json.dumps(endpoint))
    order = loader.parse_order({**ENVIRONMENT, "EDGEPIPE_SERVER_WORK": str(tmp_path)})
    with pytest.raises(
        loader.LoaderError, match=r"was not loaded within 0 s: .*log of com\.edgepipe\.LocalServer"
    ):
        loader.load(order, wait_seconds=0)


def test_unloading_without_a_server_is_done(tmp_path: Path) -> None:
    order = loader.parse_order({**ENVIRONMENT, "EDGEPIPE_SERVER_WORK": str(tmp_path)})
    assert "not loaded" in loader.unload(order)


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["reload"], 2), (["load"], 1)])
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.main(arguments, {}) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
