from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_cloud.sagemaker import images
from local_cloud.sagemaker.errors import JobFailedError
from local_cloud.sagemaker.layout import Machine, Root, build_environment, parse_script_mode

ROOT = Root(path=Path("/jobs/j/opt/ml"))
MACHINE = Machine(path="/venv/bin:/bin", libraries=None, modules="/project", region="eu-west-1", cores=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/ml/model", "/jobs/j/opt/ml/model"),
        ("/opt/ml", "/jobs/j/opt/ml"),
        ("/opt/mlx", "/opt/mlx"),
        ("s3://opt/ml/", "s3://opt/ml/"),
        ("", ""),
    ],
)
def test_paths_of_the_container_are_mapped(text: str, expected: str) -> None:
    assert ROOT.map(text) == expected


def test_script_mode_decodes_hyperparameters_and_makes_the_command_line() -> None:
    script = parse_script_mode(
        {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": "s3://b/source.tar.gz",
            "sagemaker_region": '"eu-west-1"',
            "rate": "0.1",
            "name": '"a b"',
            "plain": "not json",
            "list": "[1, 2]",
            "b": "false",
        }
    )
    assert (script.entry_point, script.source_uri) == ("train.py", "s3://b/source.tar.gz")
    assert script.arguments == [
        *("-b", "False"),
        *("--list", "[1, 2]"),
        *("--name", "a b"),
        *("--plain", "not json"),
        *("--rate", "0.1"),
    ]


def test_the_environment_is_made_from_nothing() -> None:
    environment = build_environment(ROOT, MACHINE, name="j", arn="arn", given={"A": "/opt/ml/x", "B": "b"})
    assert environment["SAGEMAKER_BASE_DIR"] == "/jobs/j/opt/ml"
    assert (environment["A"], environment["B"], environment["AWS_REGION"]) == (
        "/jobs/j/opt/ml/x",
        "b",
        "eu-west-1",
    )
    assert (environment["OMP_WAIT_POLICY"], environment["PYTHONUNBUFFERED"]) == ("PASSIVE", "1")
    assert "LD_LIBRARY_PATH" not in environment
    assert "AWS_ACCESS_KEY_ID" not in json.dumps(environment)


@pytest.mark.parametrize(
    "image",
    [
        "local/edgepipe-optimize:latest",
        "1.dkr.ecr.us-east-1.amazonaws.com/team/edgepipe-optimize@sha256:00ff",
        "registry:5000/edgepipe-optimize:1",
        "edgepipe-optimize",
    ],
)
def test_our_image_is_known_by_its_repository(image: str) -> None:
    assert images.program(image) == "containers.optimize"


def test_another_image_is_refused() -> None:
    with pytest.raises(JobFailedError, match="image x/other:1 cannot run here"):
        images.program("x/other:1")
