"""publish: versions, recipes, and that a version is made once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tasks import publish, recipe
from tasks.errors import TaskInputError, TransientError
from tasks.event import parse_event
from tasks.greengrass import Version
from tests.unit.tasks.fakes import RESULTS, Cloud, Killed, artifact, payload

NAME = "com.example.cookie-defects"
ARN = f"arn:aws:greengrass:us-east-1:210987654321:components:{NAME}"
CONFIG = {
    "component": NAME,
    "version": "auto",
    "model": "cookie-defects",
    "dependencies": {"com.edgepipe.LocalServer": ">=0.1.0 <1.0.0"},
}
TARGETS = ("x86_64-cpu", "arm64-cpu")


def call(cloud: Cloud, run: str = "run-1", content: bytes = b"zip", **config: Any) -> dict[str, Any]:
    packages = {}
    for target in TARGETS:
        uri = f"{RESULTS}/package/{target}.zip"
        packages[target] = artifact("package", uri, cloud.s3.put(uri, content))
    event = payload("publish", {**CONFIG, **config}, inputs={"package": packages})
    event["run"] = {**event["run"], "id": run, "arn": f"arn:{run}"}
    desk = publish.Desk(s3=cloud.client("s3"), greengrass=cloud.client("greengrassv2"), sleep=lambda _: None)
    made: dict[str, Any] = publish.publish(parse_event(event), desk)["component"]
    return made


def test_the_first_version_is_registered_with_its_artifacts(cloud: Cloud) -> None:
    made = call(cloud)
    assert made["facts"] == {"name": NAME, "version": "1.0.0", "arn": f"{ARN}:versions:1.0.0"}
    for target in TARGETS:
        assert cloud.s3.get(f"s3://cookie-components/components/{NAME}/1.0.0/{target}.zip") == b"zip"
    assert cloud.s3.get(made["uri"]) == cloud.greengrassv2.recipes[f"{ARN}:versions:1.0.0"]
    tags = cloud.greengrassv2.components[f"{ARN}:versions:1.0.0"]["tags"]
    assert {key: tags[key] for key in ("edgepipe:run", "edgepipe:step", "edgepipe:pipeline")} == {
        "edgepipe:run": "run-1",
        "edgepipe:step": "publish",
        "edgepipe:pipeline": "cookie-defects",
    }


def test_recipe(cloud: Cloud) -> None:
    text = json.loads(cloud.s3.get(call(cloud)["uri"]))
    assert [item["Platform"] for item in text["Manifests"]] == [
        {"os": "linux", "architecture": "aarch64"},
        {"os": "linux", "architecture": "amd64"},
    ]
    manifest = text["Manifests"][1]
    assert manifest["Lifecycle"]["Startup"] == {
        "Script": 'python3 "$EDGEPIPE_ARTIFACT/loader.py" load',
        "Timeout": 900,
    }
    assert manifest["Lifecycle"]["Setenv"] == {
        "EDGEPIPE_ARTIFACT": "{artifacts:decompressedPath}/x86_64-cpu",
        "EDGEPIPE_SERVER_WORK": "{com.edgepipe.LocalServer:work:path}",
        "EDGEPIPE_MODEL": "{configuration:/model}",
        "EDGEPIPE_MODEL_VERSION": "1.0.0",
    }
    assert manifest["Artifacts"] == [
        {
            "URI": f"s3://cookie-components/components/{NAME}/1.0.0/x86_64-cpu.zip",
            "Unarchive": "ZIP",
            "Permission": {"Read": "ALL"},
        }
    ]
    assert text["ComponentDependencies"] == {
        "com.edgepipe.LocalServer": {"VersionRequirement": ">=0.1.0 <1.0.0", "DependencyType": "HARD"}
    }


def test_scripts_never_hold_a_value_of_the_spec() -> None:
    odd = recipe.Component(name="a.b", version="1.0.0", model="m", dependencies={"a": "*"})
    other = recipe.Component(name="c.d", version="2.0.0", model="n", dependencies={})
    scripts = [
        {step["Script"] for step in (m["Lifecycle"]["Startup"], m["Lifecycle"]["Shutdown"])}
        for component in (odd, other)
        for m in recipe.build_recipe(component, {"x86_64-cpu": _zip()})["Manifests"]
    ]
    assert scripts == [{recipe.LOAD, recipe.UNLOAD}] * 2


def _zip() -> Any:
    from tasks.locations import parse_location

    return parse_location("s3://cookie-components/components/x/x86_64-cpu.zip")


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "1.0.0"),
        (["0.3.0"], "1.0.0"),
        (["1.0.0"], "1.1.0"),
        (["1.9.0", "1.10.0", "1.2.7"], "1.11.0"),
        (["2.0.0", "1.4.0"], "2.1.0"),
        (["1.999999.0"], "2.0.0"),
    ],
)
def test_next_version(taken: list[str], expected: str) -> None:
    assert str(publish.next_version([Version(*map(int, text.split("."))) for text in taken])) == expected


def test_every_run_gets_a_version_of_its_own_and_keeps_it(cloud: Cloud) -> None:
    versions = [call(cloud, run)["facts"]["version"] for run in ("run-1", "run-2", "run-1", "run-3", "run-2")]
    assert versions == ["1.0.0", "1.1.0", "1.0.0", "1.2.0", "1.1.0"]


def test_two_runs_at_once_do_not_share_a_version(cloud: Cloud) -> None:
    claim = {"run": "arn:other", "step": "publish", "content": "x"}
    cloud.s3.put(f"s3://cookie-components/components/{NAME}/1.0.0/claim.json", json.dumps(claim).encode())
    assert call(cloud)["facts"]["version"] == "1.1.0"


@pytest.mark.parametrize("count", range(9))
def test_killed_after_any_change_and_run_again_there_is_one_version(count: int) -> None:
    cloud = Cloud(kill_after=count)
    results = []
    for _ in range(2):
        try:
            results.append(call(cloud))
        except Killed:
            continue
    assert [key.rpartition(":")[2] for key in cloud.greengrassv2.components] == ["1.0.0"]
    assert results[-1] == call(Cloud())


def test_the_kill_test_covers_every_change(cloud: Cloud) -> None:
    call(cloud)
    # Claim, note, one copy for each of two targets, register, recipe: range(9) above goes beyond them.
    assert cloud.changes == 6


def test_an_explicit_version_is_adopted_when_its_content_is_the_same(cloud: Cloud) -> None:
    first = call(cloud, version="2.5.0")
    assert call(cloud, run="run-2", version="2.5.0")["facts"] == first["facts"]
    assert cloud.operations().count("CreateComponentVersion") == 1


def test_an_explicit_version_with_other_content_is_refused(cloud: Cloud) -> None:
    call(cloud, version="2.5.0")
    with pytest.raises(
        TaskInputError, match=re.escape(f"version 2.5.0 of {NAME} is being published with other")
    ):
        call(cloud, run="run-2", content=b"other", version="2.5.0")
    cloud.greengrassv2.register(ARN, "3.0.0")
    with pytest.raises(
        TaskInputError, match=re.escape("3.0.0 of com.example.cookie-defects is registered with")
    ):
        call(cloud, version="3.0.0")


def test_a_version_that_somebody_registers_meanwhile_is_passed_by_on_retry(cloud: Cloud) -> None:
    first = call(Cloud())
    assert first["facts"]["version"] == "1.0.0"
    cloud.errors["CreateComponentVersion"] = []
    original = cloud.greengrassv2.create_component_version

    def overtaken(**request: Any) -> dict[str, Any]:
        if f"{ARN}:versions:1.0.0" not in cloud.greengrassv2.components:
            cloud.greengrassv2.register(ARN, "1.0.0")
        return original(**request)

    cloud.greengrassv2.create_component_version = overtaken  # type: ignore[method-assign]  # somebody is faster
    with pytest.raises(TransientError, match="registered by somebody else"):
        call(cloud)
    assert call(cloud)["facts"]["version"] == "1.1.0"


@pytest.mark.parametrize(
    ("states", "error", "told"),
    [
        (["REQUESTED", "INITIATED", "DEPLOYABLE"], None, ""),
        (["REQUESTED"], TransientError, "not ready to be deployed yet"),
        (["FAILED"], TaskInputError, "Greengrass refused"),
    ],
)
def test_a_new_version_is_waited_for_a_little(
    cloud: Cloud, states: list[str], error: type[Exception] | None, told: str
) -> None:
    cloud.greengrassv2.states = states
    if error is None:
        assert call(cloud)["facts"]["version"] == "1.0.0"
    else:
        with pytest.raises(error, match=told):
            call(cloud)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"component": "aws.greengrass.Nucleus"}, "must not begin with aws.greengrass"),
        ({"component": "../x"}, "event.config.component must match"),
        ({"version": "latest"}, "must be auto or a version such as 1.2.0"),
        ({"version": "1.0.1000000"}, "numbers up to 999999"),
        ({"dependencies": {"a": "x" * 16_000}}, "Greengrass takes 16000; publish fewer targets"),
    ],
)
def test_settings_that_cannot_work_are_named(cloud: Cloud, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(cloud, **config)


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (("toaster",), "no device's architecture is known"),
        (("arm64-cpu", "jetson-xavier"), "publish them as two"),
    ],
)
def test_targets_that_cannot_share_a_recipe_are_named(targets: tuple[str, ...], told: str) -> None:
    component = recipe.Component(name="a", version="1.0.0", model="m", dependencies={})
    with pytest.raises(TaskInputError, match=told):
        recipe.build_recipe(component, {target: _zip() for target in targets})
