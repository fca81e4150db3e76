"""What the rules say of values that AWS would refuse, and where."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.specs import COMPILE, MODEL, mistakes, spec

LIST = "CreateTrainingJob: ResourceConfig.InstanceType"


def train(extra: str) -> str:
    return MODEL.replace("{script: train.py", f"{{{extra}, script: train.py")


def test_a_misspelt_instance_type_is_shown_with_the_nearest() -> None:
    text = spec(train("instance: ml.m5.xlage"))
    (found,) = mistakes(text)
    line = text.split("\n")[found.span.line - 1]
    assert line[found.span.column - 1 : found.span.end_column - 1] == "ml.m5.xlage"
    assert found.message == f"'ml.m5.xlage' is no instance type that a SageMaker training job takes ({LIST})"
    assert found.hint == "Did you mean 'ml.m5.xlarge'?"


def test_a_type_of_a_new_family_says_how_to_go_on() -> None:
    (found,) = mistakes(spec(train("instance: ml.g9.xlarge")))
    assert found.hint is not None
    assert "newer than botocore 1." in found.hint
    assert "parameter without a default" in found.hint
    advised = spec(train('instance: "${{ params.instance }}"'), "  instance: {type: string}\n")
    assert mistakes(advised) == []


def test_where_nothing_is_near_the_message_says_whose_list_it_is() -> None:
    (found,) = mistakes(spec(train("instance: ml.0.0")))
    assert found.hint is not None
    assert found.hint.startswith("As of 20")
    assert "botocore 1." in found.hint


def test_jobs_differ_in_what_they_take() -> None:
    assert mistakes(spec(train("instance: ml.trn1.2xlarge"))) == []
    (found,) = mistakes(spec(MODEL + COMPILE.replace("{", "{instance: ml.trn1.2xlarge, ")))
    assert "CreateProcessingJob: ProcessingResources.ClusterConfig.InstanceType" in found.message


@pytest.mark.parametrize("value", ['"ml.${{ run.id }}.x"', '"${{ usecase.id }}"', '"${{ params.free }}"'])
def test_what_only_a_run_knows_is_not_judged(value: str) -> None:
    assert mistakes(spec(train(f"instance: {value}"), "  free: {type: string}\n")) == []


def test_a_parameter_is_judged_by_its_default_once() -> None:
    params = "  machine: {type: string, default: ml.g5.xlrge}\n"
    steps = train('instance: "${{ params.machine }}"')
    framework = 'framework: {name: sklearn, version: "1"}, instance: "${{ params.machine }}"'
    other = f"  b: {{uses: train, script: b.py, {framework}}}\n"
    (found,) = mistakes(spec(steps + other, params))
    assert (found.code, found.span.line) == ("P070", 5)


def test_hyperparameters_count_with_those_that_edgepipe_adds() -> None:
    many = ", ".join(f"h{number}: 1" for number in range(97))
    (found,) = mistakes(spec(train(f"hyperparameters: {{{many}}}")))
    assert found.message.startswith("there are 102 hyperparameters (with the 5 that edgepipe adds)")
    assert found.hint == "Put some into a file beside the script."


def test_labels_count_as_the_json_that_is_sent() -> None:
    labels = MODEL.replace("normal, anomaly", ", ".join("x" * 40 + str(number) for number in range(6)))
    (found,) = mistakes(spec(labels + COMPILE))
    assert (found.code, found.span.line) == ("P071", 5)
    assert "has 270 characters; a SageMaker processing job takes at most 256" in found.message
