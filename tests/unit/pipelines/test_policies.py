"""The policies of a pipeline: whole for the cookie spec, and what changes them for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import machine, policies
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRANSFORM, build

if TYPE_CHECKING:
    import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "cookies"
PUBLISH = "  package: {}\n  publish: {component: com.example.a}\n"
EVERYTHING = MODEL + COMPILE + PUBLISH


def derive(steps: str, params: str = "") -> policies.Policies:
    return policies.derive(machine.parse(build(steps, params).definition))


def resources(derived: policies.Policies, handler: str, action: str) -> list[str]:
    grants = derived.own[handler].grants() | derived.usecase[handler].grants()
    return sorted(resource for each, resource in grants if each == action)


def test_the_policies_of_the_cookie_spec_are_the_golden_ones(request: pytest.FixtureRequest) -> None:
    definition = GOLDEN.joinpath("asl.json").read_text(encoding="utf-8")
    written = policies.render(policies.derive(machine.parse(definition)))
    golden = Path(__file__).parent / "cookies-policies.json"
    if request.config.getoption("--update-golden"):
        golden.write_text(written, encoding="utf-8", newline="\n")
    assert golden.read_text(encoding="utf-8") == written


def test_the_machine_may_call_its_functions_and_nothing_else() -> None:
    (statement,) = derive(LABEL).machine.statements
    assert statement.actions == ("lambda:InvokeFunction",)
    assert statement.resources == ("${label_function_arn}",)


def test_a_role_is_passed_to_sagemaker_only() -> None:
    (statement,) = (
        each for each in derive(MODEL).usecase["train"].statements if "iam:PassRole" in each.actions
    )
    assert statement.as_json()["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }
    assert statement.resources == ("${usecase_execution_role_arn}",)


def test_only_own_artifacts_are_read_and_written() -> None:
    derived = derive(EVERYTHING)
    runs = "arn:aws:s3:::${usecase_results_bucket}/runs/cookies/*"
    assert resources(derived, "package", "s3:PutObject") == [runs]
    assert resources(derived, "publish", "s3:PutObject") == [
        "arn:aws:s3:::${usecase_component_bucket}/components/com.example.a/*",
        runs,
    ]
    assert resources(derived, "train", "s3:PutObject") == []


def test_datasets_are_read_where_the_spec_says_they_lie() -> None:
    params = '  images: {type: s3uri, default: "s3://elsewhere/sets/a/"}\n'
    label = LABEL.replace('"s3://bucket/x/"', '"${{ params.images }}"')
    assert resources(derive(label + TRANSFORM, params), "transform", "s3:GetObject") == [
        "arn:aws:s3:::${usecase_data_bucket}/*",
        "arn:aws:s3:::${usecase_results_bucket}/runs/cookies/*",
        "arn:aws:s3:::elsewhere/sets/a/*",
    ]
    assert "arn:aws:s3:::bucket/x/*" in resources(derive(LABEL + TRANSFORM), "transform", "s3:GetObject")


def test_what_a_step_does_without_is_not_allowed() -> None:
    assert resources(derive(LABEL), "label", "s3:GetObject") == []
    listed = LABEL.replace("method: folders", "method: manifest").replace("/x/", "/x.manifest")
    assert "arn:aws:s3:::bucket/x.manifest*" in resources(derive(listed), "label", "s3:GetObject")


def test_jobs_are_those_of_the_pipelines_steps() -> None:
    steps = MODEL.replace("  train: {", "  fast_one: {uses: train, ")
    here = "arn:aws:sagemaker:${usecase_region}:${usecase_account}:training-job/"
    derived = derive(steps)
    assert resources(derived, "train", "sagemaker:CreateTrainingJob") == [f"{here}cookies-fast-one-*"]
    assert resources(derived, "train", "sagemaker:StopTrainingJob") == [f"{here}cookies-fast-one-*"]


def test_only_people_need_a_labelling_job() -> None:
    here = "arn:aws:sagemaker:${usecase_region}:${usecase_account}:labeling-job/cookies-label-*"
    people, folders = derive(LABEL.replace("folders", "ground-truth")), derive(LABEL)
    for handler, action in (
        ("label", "sagemaker:CreateLabelingJob"),
        ("label", "sagemaker:StopLabelingJob"),
    ):
        assert resources(people, handler, action) == [here]
        assert resources(folders, handler, action) == []
    assert resources(people, "label", "states:SendTaskHeartbeat") == ["*"]
    assert resources(people, "label", "iam:PassRole") == ["${usecase_execution_role_arn}"]
    assert folders.own["label"].grants().isdisjoint({("states:SendTaskHeartbeat", "*")})
    assert "iam:PassRole" not in {action for action, _ in folders.usecase["label"].grants()}


def test_devices_are_those_that_are_deployed_to() -> None:
    one = derive(EVERYTHING + "  deploy: {targets: [thing/a]}\n")
    assert resources(one, "deploy", "iot:UpdateThingShadow") == [
        "arn:aws:iot:${usecase_region}:${usecase_account}:thing/a"
    ]
    assert not [each for each in one.wide if "thing group" in each.reason]
    group = derive(EVERYTHING + "  deploy: {targets: [thinggroup/line]}\n")
    assert resources(group, "deploy", "iot:UpdateThingShadow") == [
        "arn:aws:iot:${usecase_region}:${usecase_account}:thing/*"
    ]
    assert [each.resource for each in group.wide if each.handler == "deploy" and "thing group" in each.reason]


def test_a_pipeline_without_devices_grants_nothing_on_any() -> None:
    grants = {right for policy in derive(MODEL).by_role().values() for right in policy.grants()}
    assert not [right for right, _ in grants if right.startswith(("greengrass:", "iot:"))]
