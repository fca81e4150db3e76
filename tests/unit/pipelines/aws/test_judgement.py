from __future__ import annotations

from typing import Any

import pytest

from pipelines.aws.judgement import Verdict, check_request, judge
from pipelines.aws.limits import Limit

REQUEST = {
    "TrainingJobName": "a",
    "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "x"},
    "RoleArn": "arn:aws:iam::210987654321:role/x",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Tags": [{"Key": "edgepipe:run", "Value": "prüfung 1"}],
    "HyperParameters": {"epochs": "30"},
}


@pytest.mark.parametrize(
    ("limit", "value", "verdict"),
    [
        (Limit(type="string", enum=("a", "b")), "a", None),
        (Limit(type="string", enum=("a", "b")), "c", Verdict(fault="enum")),
        (Limit(type="string", pattern="[a-z]+"), "ab", None),
        (Limit(type="string", pattern="[a-z]+"), "ab1", Verdict(fault="pattern")),
        (Limit(type="string", maximum=3, pattern="[a-z]+"), "ab12", Verdict(fault="most", size=4)),
        (Limit(type="string", minimum=1), "", Verdict(fault="least", size=0)),
        (Limit(type="integer", minimum=1, maximum=5), 5, None),
        (Limit(type="integer", minimum=1, maximum=5), 6, Verdict(fault="most", size=6)),
        (Limit(type="double", minimum=1, maximum=5), 0.5, Verdict(fault="least", size=0.5)),
        (Limit(type="list", maximum=2), ["a"] * 3, Verdict(fault="most", size=3)),
        (Limit(type="map", maximum=2), {"a": 1}, None),
        (Limit(type="map", maximum=2), 3, Verdict(fault="most", size=3)),
        (Limit(type="structure"), {"a": 1}, None),
    ],
)
def test_a_value_is_judged_by_its_limit(limit: Limit, value: object, verdict: Verdict | None) -> None:
    assert judge(limit, value) == verdict


def test_a_good_request_has_no_problem() -> None:
    assert check_request("sagemaker", "CreateTrainingJob", REQUEST) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"TrainingJobName": "a_b"}, "CreateTrainingJob.TrainingJobName: pattern"),
        ({"TrainingJobName": "a" * 64}, "CreateTrainingJob.TrainingJobName: most"),
        ({"TrainingJobName": 5}, "CreateTrainingJob.TrainingJobName: int instead of string"),
        ({"Colour": "red"}, "CreateTrainingJob: has no member Colour"),
        ({"ResourceConfig": {"InstanceType": "ml.x"}}, "CreateTrainingJob.ResourceConfig.InstanceType: enum"),
        ({"OutputDataConfig": {}}, "CreateTrainingJob.OutputDataConfig: lacks S3OutputPath"),
        ({"Tags": [{"Key": "k", "Value": "50%"}]}, "CreateTrainingJob.Tags[0].Value: pattern"),
        ({"Tags": [{"Key": "k", "Value": "v"}] * 51}, "CreateTrainingJob.Tags: most"),
        ({"HyperParameters": {"a": "x" * 2501}}, "CreateTrainingJob.HyperParameters.a: most"),
        ({"HyperParameters": {"x" * 257: "a"}}, f"CreateTrainingJob.HyperParameters{{{'x' * 257}}}: most"),
    ],
)
def test_every_problem_of_a_request_is_found_at_its_place(change: dict[str, Any], problem: str) -> None:
    assert problem in check_request("sagemaker", "CreateTrainingJob", {**REQUEST, **change})
