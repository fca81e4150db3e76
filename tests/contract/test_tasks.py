"""Contracts of the handlers: cold starts, rights, and what devices and servers make of their products."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge_components.local_server.fallback.config import parse_config
from local_cloud.greengrass.recipe import parse_recipe
from pipelines.kinds import STEP_KINDS
from tasks import callback, triton
from tasks.locations import parse_location
from tasks.recipe import Component, build_recipe, render_recipe

PLANNED = {"serve"}
"""Kinds of the language whose handlers follow; `edgepipe run` refuses a spec that has one."""
KINDS = [kind for kind in STEP_KINDS.values() if kind.name not in PLANNED]
HANDLERS = (*(kind.handler for kind in KINDS), "tasks.sweeper.handler", "tasks.events.handler")
MODULES = sorted({name.rpartition(".")[0] for name in (*HANDLERS, "tasks.judge.handler")})
ROOT = Path(__file__).parents[2]
RECIPE_SCHEMA = ROOT.parent / "shared" / "data" / "greengrass-recipe-schema.json"
HEAVY = ("boto3", "botocore", "yaml", "jsonschema", "numpy", "PIL", "pipelines")
ACTION_PREFIXES = {"dynamodb", "greengrass", "iam", "iot", "s3", "sagemaker", "sns", "states", "sts"}


@pytest.mark.parametrize("module", MODULES)
def test_a_cold_start_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("handler", [*HANDLERS, "tasks.judge.handler"])
def test_every_handler_is_there(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("module", MODULES)
def test_rights_are_named_one_by_one(module: str) -> None:
    actions = importlib.import_module(module).ACTIONS
    assert bool(actions) == (module != "tasks.judge")
    for action in actions:
        prefix, _, name = action.partition(":")
        assert prefix in ACTION_PREFIXES
        assert name.isalpha(), action


def test_the_kinds_that_wait_are_those_of_the_registry() -> None:
    assert {kind.name for kind in KINDS if kind.waits} <= set(callback.WAITING_KINDS)
    for name in callback.WAITING_KINDS.values():
        module = importlib.import_module(name)
        assert all(callable(getattr(module, verb)) for verb in ("handler", "describe", "outcome", "stop"))


@pytest.mark.parametrize("module", ["tasks.train", "tasks.compile", "tasks.deploy"])
def test_what_a_service_is_asked_for_is_built_apart_from_asking(module: str) -> None:
    assert callable(importlib.import_module(module).build_request)


def test_a_kind_whose_handler_is_there_is_no_longer_planned() -> None:
    assert [name for name in PLANNED if importlib.util.find_spec(f"tasks.{name}")] == []


def recipe() -> bytes:
    component = Component(
        name="com.example.cookies",
        version="1.2.0",
        model="cookies",
        dependencies={"com.edgepipe.LocalServer": ">=0.1.0 <1.0.0"},
    )
    zips = {
        target: parse_location(f"s3://cookie-components/components/com.example.cookies/1.2.0/{target}.zip")
        for target in ("x86_64-cpu", "arm64-cpu")
    }
    return render_recipe(build_recipe(component, zips))


def test_a_device_reads_our_recipe() -> None:
    parsed = parse_recipe(recipe().decode())
    assert [manifest.platform["architecture"] for manifest in parsed.manifests] == ["aarch64", "amd64"]
    assert all(artifact.unarchive for manifest in parsed.manifests for artifact in manifest.artifacts)


@pytest.mark.skipif(
    not RECIPE_SCHEMA.exists(), reason="the recipe schema of the Greengrass tools is not here"
)
def test_our_recipe_meets_the_published_schema() -> None:
    schema = json.loads(RECIPE_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(_lower_keys(json.loads(recipe())), schema)


def _lower_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lower_keys(item) for key, item in value.items()}
    return [_lower_keys(item) for item in value] if isinstance(value, list) else value


def test_a_server_reads_our_configurations() -> None:
    base = parse_config(triton.render_base("m"), "base_m")
    marshal = parse_config(triton.render_marshal("m"), "marshal_m")
    ensemble = parse_config(triton.render_ensemble("m"), "m")
    assert [spec.name for spec in base.outputs] == ["scores"]
    assert [spec.name for spec in marshal.inputs] == ["scores", "metadata"]
    assert len(ensemble.steps) == 2
