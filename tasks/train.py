"""train: runs the user's script as a SageMaker training job and holds its figures against the gate."""

from __future__ import annotations

import json
import math
import operator
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry, s3, sagemaker
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import QualityGateError, TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.fields import Fields
from tasks.frameworks import image_uri
from tasks.locations import Location, parse_location
from tasks.sagemaker import TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tasks.protocol import Job

ACTIONS = (
    *callback.ACTIONS,
    *s3.READ_ACTIONS,
    "iam:PassRole",
    "sagemaker:AddTags",
    "sagemaker:CreateTrainingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:StopTrainingJob",
)

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}
MAX_HYPERPARAMETERS = 100
MAX_HYPERPARAMETER = 2500
"""How many hyperparameters CreateTrainingJob takes, and how long a value may be (SageMaker API reference)."""
CHANNELS = ("train", "validation")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One line of the gate: the metric must stand in this relation to the threshold."""

    metric: str
    op: str
    threshold: float

    @property
    def bound(self) -> str:
        """Return the right side of the rule as the spec writes it: `>= 0.9`."""
        return f"{self.op} {self.threshold:g}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings."""

    script: str
    framework: str
    framework_version: str
    instance: str
    volume_gb: int
    hyperparameters: Mapping[str, Any]
    gate: tuple[Rule, ...]
    max_runtime_seconds: int


def run(event: StepEvent) -> Output:
    """Start the training job, or adopt it; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    config = parse_config(event.config)
    labels = event.artifact("manifest").facts.get("labels", [])
    context = {"gate": [asdict(rule) for rule in config.gate], "labels": labels}

    def create(job: Job) -> None:
        client = aws.client("sagemaker", event.usecase, event.run)
        sagemaker.create_or_adopt(client, TRAINING, build_request(event, job.name))

    return callback.start(event, Work(type="training", context=context, create=create), desk)


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    framework = config.child("framework")
    return Config(
        script=config.text("script", pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.py"),
        framework=framework.text("name"),
        framework_version=framework.text("version"),
        instance=config.text("instance", pattern=r"ml\.[a-z0-9-]+\.[a-z0-9]+"),
        volume_gb=config.integer("volume_gb", 30, minimum=1),
        hyperparameters=config.child("hyperparameters", {}).values,
        gate=tuple(_parse_rule(rule) for rule in config.children("gate")),
        max_runtime_seconds=config.integer("max_runtime_seconds", 86_400, minimum=1),
    )


def build_request(event: StepEvent, name: str) -> dict[str, Any]:
    """Return the CreateTrainingJob request under which the script runs in AWS's own framework image."""
    config = parse_config(event.config)
    usecase = event.usecase
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": image_uri(
                config.framework, config.framework_version, region=usecase.region, instance=config.instance
            ),
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": metric, "Regex": metric_regex(metric)} for metric in _metrics(config.gate)
            ],
        },
        "RoleArn": usecase.execution_role_arn,
        "HyperParameters": _hyperparameters(config, event, name),
        "InputDataConfig": _channels(event.artifact("manifest")),
        "OutputDataConfig": {"S3OutputPath": (event.folder / "output").uri},
        "ResourceConfig": {
            "InstanceType": config.instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": config.volume_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": config.max_runtime_seconds},
        "Tags": sagemaker.tag_list(event),
    }


def metric_regex(metric: str) -> str:
    """Return the expression that finds `recall=0.97`, `recall: 0.97` and the like in a log line."""
    return rf"(?:^|[\s,;]){re.escape(metric)}\s*[=:]\s*([0-9.eE+-]+)"


def describe(job: Job, _now: int) -> Description | None:
    """Ask SageMaker about the job; a completed one's model gets its digest looked up."""
    found = sagemaker.describe(aws.client("sagemaker", job.usecase, job.run), TRAINING, job.name)
    if found is None:
        return None
    ended = found["TrainingJobStatus"] in sagemaker.ENDED
    detail: dict[str, Any] = {
        key: found.get(key) for key in ("TrainingJobStatus", "SecondaryStatus", "FailureReason")
    }
    detail["Metrics"] = {item["MetricName"]: item["Value"] for item in found.get("FinalMetricDataList", [])}
    if found["TrainingJobStatus"] == "Completed":
        model = parse_location(found["ModelArtifacts"]["S3ModelArtifacts"], what="the trained model")
        detail["Model"] = model.uri
        detail["Digest"] = _model_digest(job, model)
    return Description(ended=ended, detail=detail)


def outcome(detail: Detail, job: Job) -> Output:
    """Return the model, its figures and how the gate went.

    Raises JobFailedError for a failed job, QualityGateError for a missed gate or a figure not printed.
    """
    sagemaker.check_completed(detail, TRAINING, job.name)
    log = f"(log: {TRAINING.log_group}/{job.name})"
    if detail["Digest"] is None:
        message = (
            f"the script of job {job.name} left no model at {detail['Model']}; "
            f"let it write model.onnx into the folder that SM_MODEL_DIR names {log}"
        )
        raise TaskInputError(message)
    rules = tuple(_parse_rule(Fields(rule, "job.context.gate")) for rule in job.context["gate"])
    metrics = {name: value for name, value in detail["Metrics"].items() if math.isfinite(value)}
    gate = check_gate(rules, metrics, log)
    facts = {"labels": job.context["labels"], "job": job.name}
    model = Artifact(type="model", uri=detail["Model"], digest=detail["Digest"], facts=facts)
    return {"model": model.as_json(), "metrics": metrics, "gate": gate}


def check_gate(rules: tuple[Rule, ...], metrics: Mapping[str, float], log: str) -> list[Output]:
    """Return one result for each rule; raises QualityGateError with all figures unless every rule holds."""
    missing = [rule.metric for rule in rules if rule.metric not in metrics]
    if missing:
        message = (
            f"the gate needs {', '.join(missing)}, which the training script never printed as a number; "
            f"let it print a line such as '{missing[0]}=0.97' when it is done {log}"
        )
        raise QualityGateError(message)
    results = [_check_rule(rule, metrics[rule.metric]) for rule in rules]
    if not all(result["passed"] for result in results):
        pairs = zip(rules, results, strict=True)
        figures = ", ".join(f"{rule.metric} is {_verdict(rule, result)}" for rule, result in pairs)
        message = f"the model misses its gate: {figures}; improve data or training, or change `gate` {log}"
        raise QualityGateError(message)
    return results


def stop(job: Job) -> None:
    """Stop the training job."""
    sagemaker.stop(aws.client("sagemaker", job.usecase, job.run), TRAINING, job.name)


def _check_rule(rule: Rule, value: float) -> Output:
    return {**asdict(rule), "value": value, "passed": OPERATORS[rule.op](value, rule.threshold)}


def _verdict(rule: Rule, result: Output) -> str:
    return f"{result['value']:.4g} and {'meets' if result['passed'] else 'misses'} {rule.bound}"


def _parse_rule(rule: Fields) -> Rule:
    op = rule.text("op")
    if op not in OPERATORS:
        rule.refuse("op", f"must be one of {' '.join(OPERATORS)}")
    metric = rule.text("metric", pattern=r"[A-Za-z][A-Za-z0-9_.:-]{0,99}")
    return Rule(metric=metric, op=op, threshold=rule.number("threshold"))


def _metrics(rules: tuple[Rule, ...]) -> list[str]:
    return list(dict.fromkeys(rule.metric for rule in rules))


def _hyperparameters(config: Config, event: StepEvent, name: str) -> dict[str, str]:
    """Every value is JSON text: SageMaker passes strings only, and its script mode decodes each."""
    own = {
        "sagemaker_program": config.script,
        "sagemaker_submit_directory": event.asset("source").uri,
        "sagemaker_job_name": name,
        "sagemaker_region": event.usecase.region,
        "sagemaker_container_log_level": 20,
    }
    texts = {key: json.dumps(value) for key, value in {**config.hyperparameters, **own}.items()}
    long = [key for key, text in texts.items() if len(text) > MAX_HYPERPARAMETER]
    if long or len(texts) > MAX_HYPERPARAMETERS:
        what = (
            f"{long[0]!r} is longer than {MAX_HYPERPARAMETER} characters"
            if long
            else f"there are {len(texts)}"
        )
        message = (
            f"SageMaker does not take these hyperparameters: {what}; put them into a file beside the script"
        )
        raise TaskInputError(message)
    return texts


def _channels(manifest: Artifact) -> list[dict[str, Any]]:
    splits = Fields(manifest.facts, "inputs.manifest.facts").child("splits")
    folder = parse_location(splits.child("train").text("uri")).parent
    images = {name: splits.child(name).text("images") for name in CHANNELS if splits.has(name)}
    sources = {
        "manifests": sagemaker.file_input("S3Prefix", folder.uri),
        **{name: sagemaker.file_input("ManifestFile", uri) for name, uri in images.items()},
    }
    return [
        {"ChannelName": name, "DataSource": source, "InputMode": "File"} for name, source in sources.items()
    ]


def _model_digest(job: Job, model: Location) -> str | None:
    return s3.digest(aws.client("s3", job.usecase, job.run), model)
