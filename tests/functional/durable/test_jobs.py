"""SageMaker jobs over the lives of a cloud: what was under way begins again, what had ended stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.functional.durable.lives import live

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """
import argparse, os, time
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--go")
parser.add_argument("--count")
words = parser.parse_args()
with open(words.count, "a") as file:
    file.write("begun\\n")
print("begun", flush=True)
while not Path(words.go).exists():
    time.sleep(0.02)
channel = Path(os.environ["SM_CHANNEL_IN"])
(Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text((channel / "a.txt").read_text())
print("accuracy=0.75")
"""
_TOOLS = """
import io, tarfile, time
ROLE = "arn:aws:iam::210987654321:role/jobs"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
sagemaker, s3 = at("sagemaker", "210987654321"), at("s3", "210987654321")

def source():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("train.py")
        entry.size = len(SCRIPT)
        tar.addfile(entry, io.BytesIO(SCRIPT.encode()))
    return buffer.getvalue()

def train(name, go, count):
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="source.tar.gz", Body=source())
    s3.put_object(Bucket="data", Key="in/a.txt", Body=b"learnt")
    words = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://data/source.tar.gz"}
    words = {key: json.dumps(value) for key, value in {**words, "go": go, "count": count}.items()}
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/in/"}}
    accuracy = {"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": [accuracy],
        },
        HyperParameters=words,
        InputDataConfig=[{"ChannelName": "in", "DataSource": channel}],
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://data/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        Tags=[{"Key": "run", "Value": "7"}],
    )

def until(done):
    deadline = time.monotonic() + 240
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)

def shown(name):
    return sagemaker.describe_training_job(TrainingJobName=name)

def ended(name):
    until(lambda: shown(name)["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"})
    return shown(name)

def begun(count):
    return len(Path(count).read_text().splitlines()) if Path(count).exists() else 0

def said(name):
    return [row["TrainingJobName"] for row in sagemaker.list_training_jobs()["TrainingJobSummaries"]]
"""


def job_life(tmp_path: Path, body: str) -> str:
    names = f"GO, COUNT = {str(tmp_path / 'go')!r}, {str(tmp_path / 'count')!r}\n"
    return live(tmp_path / "state", f"SCRIPT = {_SCRIPT!r}\n{names}{_TOOLS}\n{body}")


def test_a_job_under_way_begins_again_with_the_next_process(tmp_path: Path) -> None:
    job_life(
        tmp_path,
        """
train("first", GO, COUNT)
train("second", GO, COUNT)
sagemaker.add_tags(ResourceArn=shown("first")["TrainingJobArn"], Tags=[{"Key": "more", "Value": "x"}])
until(lambda: begun(COUNT) == 1)
die()
""",
    )
    (tmp_path / "go").touch()
    told = job_life(
        tmp_path,
        """
job, other = ended("first"), ended("second")
tags = sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
bodies = s3.get_object(Bucket="data", Key="out/first/output/model.tar.gz")["Body"].read()
with tarfile.open(fileobj=io.BytesIO(bodies)) as tar:
    text = tar.extractfile("model.txt").read().decode()
phases = [each["Status"] for each in job["SecondaryStatusTransitions"]]
figures = [each["Value"] for each in job["FinalMetricDataList"]]
print(json.dumps({
    "status": job["TrainingJobStatus"], "other": other["TrainingJobStatus"], "model": text,
    "figures": figures, "phases": phases, "tags": sorted(tag["Key"] for tag in tags), "listed": said(""),
    "in order": job["CreationTime"] < job["TrainingEndTime"],
}))
""",
    )
    expected = {
        "status": "Completed",
        "other": "Completed",
        "model": "learnt",
        "figures": [0.75],
        "tags": ["more", "run"],
        "listed": ["first", "second"],
        "in order": True,
    }
    found = json.loads(told)
    first, again = ["Starting", "Downloading", "Training"], ["Starting", "Downloading", "Training"]
    assert found.pop("phases") == [*first, *again, "Uploading", "Completed"]
    assert found == expected
    assert (tmp_path / "count").read_text().splitlines() == ["begun"] * 3
    log = tmp_path / "state/logs/aws/sagemaker/TrainingJobs/first.log"
    assert log.read_text().startswith("edgepipe: the process that ran this job ended before it")


def test_a_job_that_the_end_of_a_cloud_ends_begins_again_too(tmp_path: Path) -> None:
    job_life(tmp_path, 'train("job", GO, COUNT)\nuntil(lambda: begun(COUNT) == 1)')
    (tmp_path / "go").touch()
    assert job_life(tmp_path, 'print(ended("job")["TrainingJobStatus"])').strip() == "Completed"


def test_a_job_that_has_ended_or_was_stopped_does_not_begin_again(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    job_life(tmp_path, 'train("done", GO, COUNT)\nended("done")\ndie()')
    (tmp_path / "go").unlink()
    job_life(
        tmp_path,
        """
train("stopped", GO, COUNT)
until(lambda: begun(COUNT) == 2)
sagemaker.stop_training_job(TrainingJobName="stopped")
die()
""",
    )
    told = job_life(
        tmp_path,
        """
print([shown(name)["TrainingJobStatus"] for name in ("done", "stopped")])
try:
    train("done", GO, COUNT)
except sagemaker.exceptions.ResourceInUse as error:
    print(error)
""",
    )
    assert told.splitlines()[0] == "['Completed', 'Stopped']"
    assert "with this name already exists" in told
    assert (tmp_path / "count").read_text().splitlines() == ["begun"] * 2


def test_a_processing_job_says_in_the_next_life_why_it_failed(tmp_path: Path) -> None:
    job_life(
        tmp_path,
        """
cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
sagemaker.create_processing_job(
    ProcessingJobName="p",
    AppSpecification={"ImageUri": "elsewhere/unknown:1"},
    ProcessingResources={"ClusterConfig": cluster},
    RoleArn=ROLE,
)
shown = lambda: sagemaker.describe_processing_job(ProcessingJobName="p")
until(lambda: shown()["ProcessingJobStatus"] == "Failed")
die()
""",
    )
    told = job_life(
        tmp_path, 'print(sagemaker.describe_processing_job(ProcessingJobName="p")["FailureReason"])'
    )
    assert "elsewhere/unknown:1" in told
