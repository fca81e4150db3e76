from __future__ import annotations

from pathlib import Path

import pytest

from edge_components.local_server.errors import EngineUnavailableError
from edge_components.local_server.process import build_engine_id
from edge_components.local_server.settings import parse_settings
from edge_components.local_server.triton import (
    build_command,
    build_environment,
    check_stub,
    find_triton,
    write_backends,
)

SETTINGS = parse_settings({"EDGEPIPE_SERVER_WORK": "/w"})


def test_the_command_is_explicit_and_local() -> None:
    command = build_command(Path("/t/tritonserver"), Path("/b"), SETTINGS, 8123)
    identity = build_engine_id(SETTINGS.work)
    for argument in (
        "--model-control-mode=explicit",
        "--disable-auto-complete-config",
        "--exit-timeout-secs=5",
        "--http-address=127.0.0.1",
        "--http-port=8123",
        "--allow-grpc=false",
        "--model-repository=/w/models",
        "--backend-directory=/b",
        f"--id={identity}",
        f"--backend-config=python,shm-region-prefix-name={identity}-",
    ):
        assert argument in command
    assert not any("--backend-directory" in part for part in build_command(Path("/t"), None, SETTINGS, 1))


def test_a_named_server_is_taken_with_its_own_backends(tmp_path: Path) -> None:
    server = tmp_path / "opt" / "bin" / "tritonserver"
    server.parent.mkdir(parents=True)
    server.touch(mode=0o755)
    for environ in ({"TRITONSERVER": str(server)}, {"PATH": str(server.parent)}):
        found = find_triton(environ)
        assert (found.server, found.backends, found.wheel) == (server, tmp_path / "opt" / "backends", None)


def test_a_named_server_must_exist() -> None:
    with pytest.raises(EngineUnavailableError, match="no program that can be run"):
        find_triton({"TRITONSERVER": "/nowhere/tritonserver"})


def test_the_environment_leads_to_this_python() -> None:
    environment = build_environment(
        Path("/site/pytriton/tritonserver"), {"PATH": "/bin", "LD_LIBRARY_PATH": "/x"}
    )
    assert environment["PATH"].endswith(":/bin")
    libraries = environment["LD_LIBRARY_PATH"].split(":")
    assert (libraries[0], libraries[-1]) == ("/site/nvidia_pytriton.libs", "/x")


def test_a_python_without_a_stub_has_no_triton(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="no python backend for Python"):
        write_backends(tmp_path / "wheel", tmp_path / "backends")


def write_stub(folder: Path, script: str) -> Path:
    (folder / "python").mkdir(parents=True)
    stub = folder / "python" / "triton_python_backend_stub"
    stub.write_text(f"#!/bin/sh\n{script}\n")
    stub.chmod(0o755)
    return folder


def test_a_missing_library_is_named_with_its_remedy(tmp_path: Path) -> None:
    folder = write_stub(tmp_path, "echo 'libpython3.11.so.1.0: cannot open' >&2; exit 127")
    with pytest.raises(EngineUnavailableError, match=r"libpython3\.11\.so\.1\.0: cannot open; .*apt install"):
        check_stub(folder, {"PATH": "/bin"})


def test_a_stub_that_only_misses_its_arguments_is_fine(tmp_path: Path) -> None:
    check_stub(write_stub(tmp_path, "exit 1"), {"PATH": "/bin"})
