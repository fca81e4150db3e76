from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_components.local_server.errors import RequirementsError
from edge_components.local_server.install import select
from edge_components.local_server.requirements import (
    Installed,
    build_environment,
    compare,
    find_missing,
    look_up,
    parse_requirements,
)
from edge_components.local_server.settings import parse_settings

ROOT = Path(__file__).parents[4]
COMPONENT = ROOT / "edge_components" / "local_server"
TEXT = (COMPONENT / "requirements.txt").read_text()
X86 = {"python_version": "3.11", "sys_platform": "linux", "platform_machine": "x86_64"}


def test_are_the_projects_edge_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    assert lines == project["optional-dependencies"]["edge"]


@pytest.mark.parametrize(
    ("changes", "numpy", "triton"),
    [
        ({}, "numpy>=1.26,<2", True),
        ({"python_version": "3.13"}, "numpy>=2.1", False),
        ({"platform_machine": "aarch64"}, "numpy>=1.26,<2", False),
        ({"sys_platform": "darwin"}, "numpy>=1.26,<2", False),
    ],
)
def test_depend_on_the_machine(changes: dict[str, str], numpy: str, triton: bool) -> None:
    found = [each.text for each in parse_requirements(TEXT, X86 | changes)]
    assert numpy in found
    assert any("pytriton" in text for text in found) == triton
    assert "tritonclient[http]>=2.60" in found


def test_the_environment_describes_this_interpreter() -> None:
    assert set(build_environment()) == set(X86)
    assert look_up("pip") is not None
    assert look_up("no-such-package-anywhere") is None


def test_find_what_is_missing() -> None:
    installed = {
        "numpy": Installed(version="2.0.1", requires=()),
        "pillow": Installed(version="11.0", requires=()),
        "onnxruntime": Installed(version="1.22.0rc1", requires=()),
        "tritonclient": Installed(
            version="2.73.0", requires=("gevent>=1; extra == 'http'", "grpcio; extra == 'grpc'")
        ),
    }
    wanted = parse_requirements(TEXT, X86)
    missing = [each.name for each in find_missing(wanted, installed.get)]
    assert missing == ["numpy", "nvidia-pytriton", "tritonclient"]
    installed["gevent"] = Installed(version="26", requires=())
    assert "tritonclient" not in [each.name for each in find_missing(wanted, installed.get)]


@pytest.mark.parametrize(
    ("engine", "has_triton", "expected"),
    [("auto", False, True), ("auto", True, False), ("fallback", False, False), ("triton", False, True)],
)
def test_select_the_wheel_only_where_it_serves(engine: str, has_triton: bool, expected: bool) -> None:
    selected = select(parse_requirements(TEXT, X86), engine, has_triton=has_triton)
    assert any(each.name == "nvidia-pytriton" for each in selected) == expected


@pytest.mark.parametrize(
    "line", ["-r other.txt", "x @ http://h/x.whl", "x>=1 ; os_name == 'nt'", "x~=1", "x>=1;y"]
)
def test_refuse_lines_that_nobody_can_read_here(line: str) -> None:
    with pytest.raises(RequirementsError, match="cannot be read"):
        parse_requirements(line, X86)


@pytest.mark.parametrize(
    ("found", "operator", "bound", "expected"),
    [
        ("1.10", ">=", "1.9", True),
        ("1.0", "==", "1", True),
        ("2.0.0.post1", "<", "2", False),
        ("0.7.0+cpu", "==", "0.7.0", True),
    ],
)
def test_compare_numbers_not_text(found: str, operator: str, bound: str, expected: bool) -> None:
    assert compare(found, operator, bound) is expected


def read_recipe() -> dict[str, Any]:
    recipe = yaml.safe_load((COMPONENT / "recipe.yaml").read_text())
    assert isinstance(recipe, dict)
    return recipe


def test_recipe_differs_between_architectures_in_nothing_else() -> None:
    first, second = read_recipe()["Manifests"]
    assert (first.pop("Platform"), second.pop("Platform")) == (
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "aarch64"},
    )
    assert first == second


def test_recipe_defaults_are_valid_settings() -> None:
    recipe = read_recipe()
    defaults = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    environment = recipe["Manifests"][0]["Lifecycle"]["Setenv"]
    values = {f"{{configuration:/{key}}}": value for key, value in defaults.items()}
    settings = parse_settings({name: values.get(text, text) for name, text in environment.items()})
    assert settings == parse_settings({"EDGEPIPE_SERVER_WORK": environment["EDGEPIPE_SERVER_WORK"]})
