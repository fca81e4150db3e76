from __future__ import annotations

from typing import Any

import pytest

from local_cloud.sagemaker.errors import RefusedRequestError
from local_cloud.sagemaker.requests import parse_processing, parse_training

SOURCE = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k/"}
CHANNEL = {"ChannelName": "train", "DataSource": {"S3DataSource": SOURCE}}


def training(**change: Any) -> dict[str, Any]:
    request = {
        "TrainingJobName": "job-1",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::1:role/r",
        "InputDataConfig": [CHANNEL],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 7},
    }
    return {**request, **change}


def processing(**change: Any) -> dict[str, Any]:
    request = {
        "ProcessingJobName": "job-1",
        "AppSpecification": {"ImageUri": "image", "ContainerArguments": ["--a", "b"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
        "RoleArn": "arn:aws:iam::1:role/r",
    }
    return {**request, **change}


def processing_input(**change: Any) -> dict[str, Any]:
    source = {**SOURCE, "LocalPath": "/opt/ml/processing/input/x", "S3InputMode": "File"}
    return {"InputName": "x", "S3Input": {**source, **change}}


def algorithm(**change: Any) -> dict[str, Any]:
    return {"TrainingImage": "image", "TrainingInputMode": "File", **change}


def channel(**change: Any) -> list[dict[str, Any]]:
    return [{**CHANNEL, **change}]


def test_a_training_request_is_parsed() -> None:
    parsed = parse_training(training(Environment={"A": "1"}, EnableManagedSpotTraining=True))
    assert (parsed.name, parsed.max_seconds, parsed.environment) == ("job-1", 7, {"A": "1"})
    assert [(item.name, item.source.uri) for item in parsed.channels] == [("train", "s3://b/k/")]


def test_a_processing_request_is_parsed() -> None:
    target = {"S3Uri": "s3://b/o", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    outputs = {"Outputs": [{"OutputName": "o", "S3Output": target}]}
    parsed = parse_processing(
        processing(ProcessingInputs=[processing_input()], ProcessingOutputConfig=outputs)
    )
    assert parsed.arguments == ("--a", "b")
    assert parsed.inputs[0].local_path == "/opt/ml/processing/input/x"
    assert parsed.outputs[0].uri == "s3://b/o"
    assert parsed.max_seconds == 86_400


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (training(TrainingJobName="a/b"), "job name 'a/b' must match"),
        (training(TrainingJobName="x" * 64), "must match"),
        (training(AlgorithmSpecification={"AlgorithmName": "a"}), "name a TrainingImage"),
        (training(AlgorithmSpecification=algorithm(TrainingInputMode="FastFile")), "InputMode FastFile"),
        (training(InputDataConfig=channel(ChannelName="..")), "channel name '..'"),
        (training(InputDataConfig=channel(CompressionType="Gzip")), "CompressionType"),
        (training(InputDataConfig=channel(RecordWrapperType="RecordIO")), "RecordWrapperType"),
        (training(InputDataConfig=channel(DataSource={"FileSystemDataSource": {}})), "use an S3DataSource"),
        (
            training(
                InputDataConfig=channel(
                    DataSource={"S3DataSource": {**SOURCE, "S3DataType": "AugmentedManifestFile"}}
                )
            ),
            "S3DataType AugmentedManifestFile; list the images in a ManifestFile channel",
        ),
        (
            training(
                InputDataConfig=channel(
                    DataSource={"S3DataSource": {**SOURCE, "S3DataDistributionType": "ShardedByS3Key"}}
                )
            ),
            "use FullyReplicated",
        ),
        (training(OutputDataConfig={"S3OutputPath": "/tmp/out"}), "'/tmp/out' is no S3 URI"),
        (training(ResourceConfig={"InstanceCount": 2}), "more than one instance"),
        (training(CheckpointConfig={"S3Uri": "s3://b/c"}), "CheckpointConfig; leave it out"),
        (
            training(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "m", "Regex": "m=("}])),
            "metric 'm': 'm=\\(' is no regular expression",
        ),
        (
            training(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "m", "Regex": "m=1"}])),
            "needs a group",
        ),
    ],
)
def test_a_training_request_that_cannot_run_here_is_refused(request_: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedRequestError, match=said):
        parse_training(request_)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (processing(AppSpecification={"ImageUri": "i", "ContainerEntrypoint": ["x"]}), "ContainerEntrypoint"),
        (processing(ProcessingInputs=[processing_input(LocalPath="/etc")]), "use a folder under"),
        (
            processing(ProcessingInputs=[processing_input(LocalPath="/opt/ml/processing/../../x")]),
            "use a folder",
        ),
        (processing(ProcessingInputs=[processing_input(S3InputMode="Pipe")]), "use File and None"),
        (processing(ProcessingInputs=[{"InputName": "x", "DatasetDefinition": {}}]), "use an S3Input"),
        (
            processing(
                ProcessingOutputConfig={
                    "Outputs": [
                        {
                            "OutputName": "o",
                            "S3Output": {
                                "S3Uri": "s3://b/o",
                                "LocalPath": "/opt/ml/processing/o",
                                "S3UploadMode": "Continuous",
                            },
                        }
                    ]
                }
            ),
            "use EndOfJob",
        ),
        (processing(NetworkConfig={"EnableNetworkIsolation": True}), "NetworkConfig; leave it out"),
    ],
)
def test_a_processing_request_that_cannot_run_here_is_refused(request_: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedRequestError, match=said):
        parse_processing(request_)
