"""frameworks: training images by framework, version, region and machine."""

from __future__ import annotations

import pytest

from tasks.errors import TaskInputError
from tasks.frameworks import image_uri


@pytest.mark.parametrize(
    ("name", "version", "region", "instance", "expected"),
    [
        (
            "sklearn",
            "1.2-1",
            "eu-west-1",
            "ml.m5.xlarge",
            "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        ),
        (
            "pytorch",
            "2.3.0",
            "us-east-1",
            "ml.g4dn.xlarge",
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3.0-gpu-py311",
        ),
        (
            "tensorflow",
            "2.14",
            "cn-north-1",
            "ml.c5.xlarge",
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/tensorflow-training:2.14-cpu-py310",
        ),
    ],
)
def test_image_uri(name: str, version: str, region: str, instance: str, expected: str) -> None:
    assert image_uri(name, version, region=region, instance=instance) == expected


@pytest.mark.parametrize(
    ("name", "version", "region", "told"),
    [
        ("mxnet", "1.9", "us-east-1", "no framework 'mxnet'"),
        ("sklearn", "1.4;rm", "us-east-1", "is no version of sklearn"),
        ("sklearn", "1.4-2", "mars-1", "no sklearn training image in mars-1"),
        ("pytorch", "0.4", "us-east-1", "the versions are 2.0"),
    ],
)
def test_what_aws_has_no_image_for_is_named(name: str, version: str, region: str, told: str) -> None:
    with pytest.raises(TaskInputError, match=told):
        image_uri(name, version, region=region, instance="ml.m5.xlarge")
