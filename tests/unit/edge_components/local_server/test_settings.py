from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_components.local_server.errors import SettingsError
from edge_components.local_server.settings import EngineChoice, parse_settings

WORK = {"EDGEPIPE_SERVER_WORK": "/w"}


def test_defaults_are_the_recipes() -> None:
    settings = parse_settings(WORK)
    assert settings.port == 8080
    assert settings.bind_address == "127.0.0.1"
    assert settings.engine is EngineChoice.AUTO
    assert settings.results == Path("/w/inference-results")
    assert settings.repository == Path("/w/models")
    assert settings.endpoint == Path("/w/endpoint.json")


@pytest.mark.parametrize(
    ("text", "port"), [("0", 0), ("8080.0", 8080), (" 65535 ", 65535), ("", 8080), ("null", 8080)]
)
def test_ports_as_greengrass_gives_them(text: str, port: int) -> None:
    assert parse_settings({**WORK, "EDGEPIPE_SERVER_PORT": text}).port == port


def test_reports_every_mistake() -> None:
    wrong = {
        "EDGEPIPE_SERVER_PORT": "65536",
        "EDGEPIPE_SERVER_BIND_ADDRESS": "localhost",
        "EDGEPIPE_SERVER_ENGINE": "onnx",
        "EDGEPIPE_SERVER_MAX_REQUEST_BYTES": "0",
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    for words in (
        "EDGEPIPE_SERVER_WORK",
        "65536",
        "'localhost'",
        "auto, triton, fallback",
        "MAX_REQUEST_BYTES",
    ):
        assert words in str(caught.value)


@given(st.text(max_size=12))
def test_any_port_text_is_a_port_or_an_error(text: str) -> None:
    try:
        settings = parse_settings({**WORK, "EDGEPIPE_SERVER_PORT": text})
    except SettingsError as error:
        assert "EDGEPIPE_SERVER_PORT" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert 0 <= settings.port <= 65535
