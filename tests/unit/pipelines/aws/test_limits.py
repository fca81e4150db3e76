from __future__ import annotations

import json

import pytest

from pipelines.aws.limits import FILE, Limit, read_input, read_member, read_shape, read_version

WHOLE = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("service", WHOLE["services"])
def test_reading_a_line_gives_what_reading_the_file_gives(service: str) -> None:
    model = WHOLE["services"][service]
    assert {name: read_shape(service, name) for name in model["shapes"]} == model["shapes"]
    assert {name: read_input(service, name) for name in model["operations"]} == model["operations"]


def test_the_file_says_where_it_is_from() -> None:
    assert read_version() == (WHOLE["botocore"], WHOLE["date"])


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("HyperParameters", Limit(type="map", minimum=0, maximum=100)),
        ("HyperParameters{key}", Limit(type="string", minimum=0, maximum=256, pattern=".*")),
        ("HyperParameters{}", Limit(type="string", minimum=0, maximum=2500, pattern=".*")),
        (
            "InputDataConfig[].ChannelName",
            Limit(type="string", minimum=1, maximum=64, pattern=r"[A-Za-z0-9\.\-_]+"),
        ),
        ("AlgorithmSpecification.TrainingInputMode", Limit(type="string", enum=("Pipe", "File", "FastFile"))),
    ],
)
def test_a_member_is_found_by_its_path(path: str, limit: Limit) -> None:
    assert read_member("sagemaker", "CreateTrainingJob", path) == limit


@pytest.mark.parametrize(
    ("service", "operation", "path"),
    [
        ("sagemaker", "CreateTrainingJob", "ResourceConfig.InstanceTyp"),
        ("sagemaker", "CreateTrainingJob", "ResourceConfig[]"),
        ("sagemaker", "CreateTrainingJobs", "ResourceConfig"),
        ("sagemakers", "CreateTrainingJob", "ResourceConfig"),
    ],
)
def test_what_is_not_there_is_not_found(service: str, operation: str, path: str) -> None:
    with pytest.raises(LookupError):
        read_member(service, operation, path)
