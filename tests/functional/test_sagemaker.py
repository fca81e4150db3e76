"""Jobs through boto3: real scripts as real processes, and what their descriptions say afterwards."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import textwrap
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.sagemaker import urls

from local_cloud import sagemaker
from local_cloud.clock import SystemClock
from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context
from local_cloud.sagemaker import jobs as running
from local_cloud.sagemaker.jobs import Command, Job, Places
from local_cloud.sagemaker.records import JobRecord, TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local_cloud.context import Event

ROLE = f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/jobs"
SCRIPT_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ACCURACY = {"Name": "accuracy", "Regex": r"(?:^|[\s,;])accuracy\s*[=:]\s*([0-9.eE+-]+)"}


@dataclass
class Cloud:
    state_dir: Path
    client: Any
    s3: Any
    events: list[Event] = field(default_factory=list)

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket="data", Key=key, Body=body)
        return f"s3://data/{key}"

    def train(
        self, script: str, *, name: str = "job", files: dict[str, str] | None = None, **more: Any
    ) -> str:
        source = self.put(
            f"source/{name}.tar.gz", archive({"train.py": textwrap.dedent(script), **(files or {})})
        )
        hyperparameters = {
            "sagemaker_program": json.dumps("train.py"),
            "sagemaker_submit_directory": json.dumps(source),
            **more.pop("hyperparameters", {}),
        }
        request = {
            "AlgorithmSpecification": {
                "TrainingImage": more.pop("image", SCRIPT_IMAGE),
                "TrainingInputMode": "File",
                "MetricDefinitions": [ACCURACY],
            },
            "HyperParameters": hyperparameters,
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        self.client.create_training_job(TrainingJobName=name, **{**request, **more})
        return name

    def process(self, *, name: str = "job", **more: Any) -> str:
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        request = {
            "AppSpecification": {"ImageUri": "local/edgepipe-optimize:latest"},
            "ProcessingResources": {"ClusterConfig": cluster},
            "RoleArn": ROLE,
        }
        self.client.create_processing_job(ProcessingJobName=name, **{**request, **more})
        return name

    def described(self, name: str, kind: str = "Training") -> dict[str, Any]:
        describe = getattr(self.client, f"describe_{kind.lower()}_job")
        return dict(describe(**{f"{kind}JobName": name}))

    def ended(self, name: str, kind: str = "Training") -> dict[str, Any]:
        for _ in range(3000):
            found = self.described(name, kind)
            if found[f"{kind}JobStatus"] in {"Completed", "Failed", "Stopped"}:
                return found
            threading.Event().wait(0.01)
        message = f"{kind} job {name} did not end: {found}"
        raise AssertionError(message)

    def log(self, name: str, kind: str = "Training") -> Path:
        return self.state_dir / "logs" / "aws" / "sagemaker" / f"{kind}Jobs" / f"{name}.log"

    def wait_for_log(self, name: str, text: str) -> None:
        for _ in range(3000):
            if self.log(name).is_file() and text in self.log(name).read_text():
                return
            threading.Event().wait(0.01)
        message = f"{name} never wrote {text!r}"
        raise AssertionError(message)

    def object(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def member(packed: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        content = tar.extractfile(name)
        assert content is not None
        return content.read()


@contextmanager
def jobs(state_dir: Path) -> Iterator[Cloud]:
    events: list[Event] = []
    handle = sagemaker.install(Context(state_dir=state_dir, emit=events.append))
    with mock_aws():
        try:
            cloud = Cloud(
                state_dir=state_dir,
                client=boto3.client("sagemaker", region_name="us-east-1"),
                s3=boto3.client("s3", region_name="us-east-1"),
                events=events,
            )
            cloud.s3.create_bucket(Bucket="data")
            yield cloud
        finally:
            handle.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with jobs(tmp_path) as made:
        yield made


def channel(name: str, kind: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}


def test_a_script_runs_under_the_container_contract(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for jobs")
    cloud.put("images/a.txt", "first")
    cloud.put("images/deep/b.txt", "second")
    cloud.put("manifests/train.jsonl", "{}")
    listed = cloud.put(
        "lists/train.json", json.dumps([{"prefix": "s3://data/"}, "images/a.txt", "images/deep/b.txt"])
    )
    script = """
        import json, os, pathlib, sys
        from extra import WORD
        print("not the end: accuracy=0.1")
        model = pathlib.Path(os.environ["SM_MODEL_DIR"])
        files = [p for p in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*") if p.is_file()]
        seen = {
            "argv": sys.argv[1:], "word": WORD, "env": dict(os.environ),
            "files": sorted(p.relative_to(os.environ["SM_CHANNEL_TRAIN"]).as_posix() for p in files),
            "manifests": os.listdir(os.environ["SM_CHANNEL_MANIFESTS"]),
            "config": json.loads((model.parent / "input/config/hyperparameters.json").read_text()),
        }
        (model / "deep").mkdir()
        (model / "deep/seen.json").write_text(json.dumps(seen))
        pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "notes.txt").write_text("kept")
        print("loss=nan, accuracy=0.75")
    """
    cloud.train(
        script,
        files={"extra.py": "WORD = 'imported'\n", "requirements.txt": "numpy>=1\n"},
        hyperparameters={"epochs": "3", "where": json.dumps("/opt/ml/model"), "flag": "true"},
        Environment={"CACHE": "/opt/ml/cache"},
        InputDataConfig=[
            channel("train", "ManifestFile", listed),
            channel("manifests", "S3Prefix", "s3://data/manifests/"),
        ],
        Tags=[{"Key": "edgepipe:run", "Value": "r1"}],
    )
    found = cloud.ended("job")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Completed", "Completed")
    assert [(item["MetricName"], item["Value"]) for item in found["FinalMetricDataList"]] == [
        ("accuracy", 0.75)
    ]
    phases = [item["Status"] for item in found["SecondaryStatusTransitions"]]
    assert phases == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert found["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/out/job/output/model.tar.gz"
    seen = json.loads(member(cloud.object(found["ModelArtifacts"]["S3ModelArtifacts"]), "deep/seen.json"))
    base = str(cloud.state_dir / "jobs" / "job" / "opt" / "ml")
    assert seen["argv"] == ["--epochs", "3", "--flag", "True", "--where", f"{base}/model"]
    assert (seen["word"], seen["files"]) == ("imported", ["images/a.txt", "images/deep/b.txt"])
    assert seen["manifests"] == ["train.jsonl"]
    assert seen["config"]["epochs"] == "3"
    env = seen["env"]
    assert "not for jobs" not in env.values()
    assert (env["SAGEMAKER_BASE_DIR"], env["CACHE"]) == (base, f"{base}/cache")
    assert (env["SM_HP_EPOCHS"], env["SM_HP_FLAG"], env["SM_CURRENT_HOST"]) == ("3", "true", "algo-1")
    assert json.loads(env["SM_HPS"]) == {"epochs": 3, "flag": True, "where": "/opt/ml/model"}
    assert json.loads(env["SM_CHANNELS"]) == ["manifests", "train"]
    assert json.loads(env["SM_USER_ARGS"]) == ["--epochs", "3", "--flag", "True", "--where", "/opt/ml/model"]
    assert cloud.object("s3://data/out/job/output/output.tar.gz")
    assert not (cloud.state_dir / "jobs" / "job" / "opt" / "ml" / "input" / "data").exists()
    tags = cloud.client.list_tags(ResourceArn=found["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "edgepipe:run", "Value": "r1"}]
    listed_jobs = cloud.client.list_training_jobs()["TrainingJobSummaries"]
    assert [job["TrainingJobStatus"] for job in listed_jobs] == ["Completed"]
    (event,) = cloud.events
    assert event["detail-type"] == "SageMaker Training Job State Change"
    assert event["resources"] == [found["TrainingJobArn"]]
    assert (event["detail"]["TrainingJobName"], event["detail"]["TrainingJobStatus"]) == ("job", "Completed")
    json.dumps(event)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "import sys; print('epoch 1'); sys.exit('the drawer is empty')",
            'ExitCode 1 ErrorMessage "the drawer is empty"',
        ),
        ("def f():\n    raise ValueError('bad picture')\nf()", 'ErrorMessage "ValueError: bad picture"'),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        (
            "import sys; sys.exit(3)",
            'ExitCode 3 ErrorMessage "the program wrote nothing" Command "python train.py"',
        ),
        (
            (
                "import os, pathlib, sys\n"
                "pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('told by the script')\n"
                "sys.exit(1)"
            ),
            "AlgorithmError: told by the script",
        ),
    ],
)
def test_a_script_that_fails_says_why(cloud: Cloud, script: str, said: str) -> None:
    cloud.train(script)
    found = cloud.ended("job")
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("AlgorithmError: ")
    assert said in found["FailureReason"]
    assert "ModelArtifacts" not in found
    assert [event["detail"]["TrainingJobStatus"] for event in cloud.events] == ["Failed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"files": {"requirements.txt": "# ours\nnumpy>=99\nno-such-package-x==1\n"}},
            "no-such-package-x==1",
        ),
        ({"image": "1.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"}, "only the script mode of"),
        ({"hyperparameters": {"sagemaker_program": '"other.py"'}}, "'other.py' is not in the source archive"),
        (
            {"hyperparameters": {"sagemaker_submit_directory": '"s3://data/none.tar.gz"'}},
            "s3://data/none.tar.gz cannot",
        ),
        ({"InputDataConfig": [channel("train", "S3Prefix", "s3://data/nothing/")]}, "no S3 objects found"),
        (
            {"InputDataConfig": [channel("train", "ManifestFile", "s3://data/bad.json")]},
            "is no manifest file",
        ),
        (
            {"InputDataConfig": [channel("train", "ManifestFile", "s3://data/up.json")]},
            "leads out of the folder",
        ),
    ],
)
def test_a_job_that_cannot_start_says_what_to_change(cloud: Cloud, change: dict[str, Any], said: str) -> None:
    cloud.put("bad.json", "{}")
    cloud.put("up.json", json.dumps([{"prefix": "s3://data/"}, "../../bad.json"]))
    cloud.put("../../bad.json", "x")
    cloud.train("print('never')", **change)
    found = cloud.ended("job")
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: ")
    assert said in found["FailureReason"]


def test_a_script_that_prints_no_metric_and_leaves_no_model_completes_without(cloud: Cloud) -> None:
    cloud.train("print('accuracy is fine')")
    found = cloud.ended("job")
    assert (found["TrainingJobStatus"], found["FinalMetricDataList"]) == ("Completed", [])
    with pytest.raises(ClientError, match="NoSuchKey"):
        cloud.object(found["ModelArtifacts"]["S3ModelArtifacts"])


LINGERING = """
    import os, pathlib, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    pathlib.Path(os.environ["SM_MODEL_DIR"], "half.txt").write_text("half")
    print("child", child.pid, "ready", flush=True)
    time.sleep(600)
"""


def child_of(cloud: Cloud, name: str) -> int:
    cloud.wait_for_log(name, "ready")
    return int(cloud.log(name).read_text().split()[1])


def runs(pid: int) -> bool:
    """A dead process that nobody has reaped yet does not run."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc").is_dir()


def test_stopping_a_job_ends_its_processes_and_keeps_its_model(cloud: Cloud) -> None:
    cloud.train(LINGERING)
    child = child_of(cloud, "job")
    cloud.client.stop_training_job(TrainingJobName="job")
    found = cloud.ended("job")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert not runs(child)
    assert cloud.object(found["ModelArtifacts"]["S3ModelArtifacts"])
    with pytest.raises(ClientError, match="in status Stopped"):
        cloud.client.stop_training_job(TrainingJobName="job")


def test_a_job_that_runs_too_long_is_stopped(cloud: Cloud) -> None:
    cloud.train(LINGERING, StoppingCondition={"MaxRuntimeInSeconds": 1})
    found = cloud.ended("job")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


class Sleeps:
    """Work that takes far longer than it may."""

    def __init__(self, folder: Path) -> None:
        self.max_seconds, self.log = 600, folder / "log"

    def prepare(self, interrupted: Callable[[], bool]) -> Command:
        assert not interrupted()
        return Command(argv=("/bin/sh", "-c", "sleep 900"), cwd=self.log.parent, env=dict(os.environ))

    def finish(self, code: int) -> dict[str, object]:
        raise AssertionError(code)

    def salvage(self) -> dict[str, object]:
        return {}

    def clean(self) -> None:
        return


def test_a_job_that_begins_again_has_the_time_that_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "NOTE_SECONDS", 0.0)
    used, begun = [], threading.Event()

    def keep(record: JobRecord) -> None:
        used.append(record.used)
        if record.used:
            begun.set()

    def start(record: JobRecord) -> Job:
        record.keep = keep
        job = Job(Sleeps(tmp_path), record, Places(1), clock=SystemClock(), ended=lambda _: None)
        job.start()
        return job

    first = start(TrainingRecord({}, name="job", arn="arn"))
    assert begun.wait(120)
    first.stop()
    first.join(120)
    assert used == sorted(used)
    again: JobRecord = pickle.loads(pickle.dumps(TrainingRecord({}, name="job", arn="arn")))
    again.used = 599.9
    second = start(again)
    second.join(120)
    ended = (again.status, again.response_object["SecondaryStatus"])
    second.stop()
    assert ended == ("Stopped", "MaxRuntimeExceeded")


def test_a_second_training_waits_for_the_first_and_can_be_stopped_meanwhile(cloud: Cloud) -> None:
    cloud.train(LINGERING, name="first")
    child_of(cloud, "first")
    cloud.train("print('second')", name="second")
    cloud.train("print('third')", name="third")
    assert cloud.described("second")["SecondaryStatus"] == "Starting"
    cloud.client.stop_training_job(TrainingJobName="second")
    assert cloud.ended("second")["TrainingJobStatus"] == "Stopped"
    assert cloud.described("first")["TrainingJobStatus"] == "InProgress"
    cloud.client.stop_training_job(TrainingJobName="first")
    assert cloud.ended("third")["TrainingJobStatus"] == "Completed"


def test_closing_ends_everything_and_gives_the_api_back(tmp_path: Path) -> None:
    before = urls.url_paths["{0}/$"]
    with jobs(tmp_path) as cloud:
        cloud.train(LINGERING)
        child = child_of(cloud, "job")
        assert urls.url_paths["{0}/$"] is not before
    assert not runs(child)
    assert urls.url_paths["{0}/$"] is before
    assert cloud.events == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("job ")] == []


def test_names_are_unique_and_unknown_ones_are_errors(cloud: Cloud) -> None:
    cloud.train("print('once')")
    with pytest.raises(ClientError, match="ResourceInUse"):
        cloud.train("print('twice')")
    cloud.ended("job")
    for call in ("describe_training_job", "describe_processing_job"):
        with pytest.raises(ClientError, match="ValidationException"):
            getattr(cloud.client, call)(
                **{f"{'Training' if 'training' in call else 'Processing'}JobName": "none"}
            )
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloud.client.stop_processing_job(ProcessingJobName="none")
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.train("print('outside')", name="../outside")


def test_what_is_not_emulated_is_refused_when_the_job_is_created(cloud: Cloud) -> None:
    pipe = {**channel("train", "S3Prefix", "s3://data/a/"), "InputMode": "Pipe"}
    with pytest.raises(
        ClientError, match="does not emulate channel 'train': InputMode Pipe; use InputMode File"
    ):
        cloud.train("print(1)", InputDataConfig=[pipe])
    with pytest.raises(ClientError, match="EnableNetworkIsolation; leave it out"):
        cloud.train("print(1)", EnableNetworkIsolation=True)


def test_a_processing_job_runs_its_program_and_reports_its_exit_message(cloud: Cloud) -> None:
    model = cloud.put("model/model.tar.gz", archive({"other.txt": "no model"}))
    source = {
        "S3Uri": model,
        "LocalPath": "/opt/ml/processing/input/model",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    application = {
        "ImageUri": "local/edgepipe-optimize:latest",
        "ContainerArguments": ["--target", "x86_64-cpu", "--labels", '["normal", "anomaly"]'],
    }
    cloud.process(AppSpecification=application, ProcessingInputs=[{"InputName": "model", "S3Input": source}])
    found = cloud.ended("job", "Processing")
    assert found["ProcessingJobStatus"] == "Failed"
    assert "holds no model.onnx" in found["ExitMessage"]
    assert found["ExitMessage"] in found["FailureReason"]
    (event,) = cloud.events
    assert event["detail-type"] == "SageMaker Processing Job State Change"
    assert event["detail"]["ProcessingJobStatus"] == "Failed"


def test_an_unknown_image_fails_with_the_remedy(cloud: Cloud) -> None:
    cloud.process(AppSpecification={"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/other:1"})
    found = cloud.ended("job", "Processing")
    assert found["ProcessingJobStatus"] == "Failed"
    assert "only edgepipe-optimize is carried out" in found["FailureReason"]
