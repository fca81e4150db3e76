"""Where in AWS's requests the values of a spec end up, and how they are written there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines import configs

if TYPE_CHECKING:
    from pipelines.spec import Pipeline, Step

OWN_HYPERPARAMETERS = 5
"""How many the train handler adds: the script, its archive, and the job's name, region and log level."""

EACH, KEYS = "*", "*key"
"""In a row's key: every entry of a list or mapping; every key of a mapping."""

NEO_DEVICES: Mapping[str, str] = {"jetson-xavier": "jetson_xavier"}
NEO_PLATFORMS: Mapping[str, Mapping[str, str]] = {
    "x86_64-cpu": {"Os": "LINUX", "Arch": "X86_64"},
    "x86_64-gpu": {"Os": "LINUX", "Arch": "X86_64", "Accelerator": "NVIDIA"},
    "arm64-cpu": {"Os": "LINUX", "Arch": "ARM64"},
    "arm64-gpu": {"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NVIDIA"},
}
"""A target as SageMaker Neo is asked for it: by the name of a device, or else by its platform."""

NOUNS: Mapping[str, str] = {
    "CreateTrainingJob": "a SageMaker training job",
    "CreateProcessingJob": "a SageMaker processing job",
    "CreateCompilationJob": "SageMaker Neo",
    "CreateLabelingJob": "a SageMaker labeling job",
    "CreateEndpointConfig": "a SageMaker endpoint",
    "CreateDeployment": "a Greengrass deployment",
    "DescribeComponent": "Greengrass",
    "GetCoreDevice": "Greengrass",
    "ListThingsInThingGroup": "AWS IoT",
    "Invoke": "Lambda",
}
"""What messages call the taker of an operation's request."""

Form = Callable[[Any], object]
Condition = Callable[["Step", "Pipeline"], bool]


def _as_is(value: object) -> object:
    return value


def _always(_step: Step, _pipeline: Pipeline) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key of a kind's config, with dots between its parts, and one member of a request."""

    kind: str
    service: str
    operation: str
    key: str
    member: str
    what: str
    """What messages call the value."""
    form: Form = _as_is
    """From the value in the spec to the value that is sent; None where nothing of it is sent."""
    when: Condition = _always
    hint: str | None = None
    """What to do about a value that is too long, too great or too many."""


def _seconds(value: object) -> int | None:
    return configs.seconds(value) if isinstance(value, str) else None


def _merge(value: object) -> str | None:
    return json.dumps(value, sort_keys=True) if value else None


def _with_own(value: Mapping[str, object]) -> int:
    return len(value) + OWN_HYPERPARAMETERS


def _leading_number(value: object) -> int | None:
    """Read the number of `50/min` or `10% failed`."""
    text = str(value)
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits) if digits else None


def _target_arn(value: object) -> str:
    return f"arn:aws:iot:us-east-1:123456789012:{value}"


def _component_arn(value: object) -> str:
    return f"arn:aws:greengrass:us-east-1:123456789012:components:{value}:versions:1.0.0"


def _component_name(value: str) -> str:
    return configs.DEVICE_COMPONENTS.get(value, value)


def _after(prefix: str) -> Form:
    def form(value: str) -> str | None:
        return value.removeprefix(prefix) if value.startswith(prefix) else None

    return form


def _explicit(version: str) -> str | None:
    return None if version == "auto" else version


def _arn(value: str) -> str | None:
    return value if value.startswith("arn:") else None


def _neo_device(value: str) -> str | None:
    return None if value in NEO_PLATFORMS else NEO_DEVICES.get(value, value)


def _neo_platform(field: str) -> Form:
    def form(value: str) -> str | None:
        return NEO_PLATFORMS.get(value, {}).get(field)

    return form


def _runs_script(step: Step, _pipeline: Pipeline) -> bool:
    return step.config.get("script") is not None


def _runs_no_script(step: Step, _pipeline: Pipeline) -> bool:
    return step.config.get("script") is None


def _by_neo(step: Step, _pipeline: Pipeline) -> bool:
    return step.config.get("backend") == "neo"


def _by_job(step: Step, _pipeline: Pipeline) -> bool:
    return step.config.get("backend") != "neo"


def _by_people(step: Step, _pipeline: Pipeline) -> bool:
    return step.config.get("method") == "ground-truth"


def _compiled_by_job(_step: Step, pipeline: Pipeline) -> bool:
    """Say whether a container that compiles the model gets the labels."""
    return any(step.kind_name.value == "compile" and _by_job(step, pipeline) for step in pipeline.steps)


_train = partial(Row, kind="train", service="sagemaker", operation="CreateTrainingJob")
_process = partial(Row, kind="compile", service="sagemaker", operation="CreateProcessingJob", when=_by_job)
_neo = partial(Row, kind="compile", service="sagemaker", operation="CreateCompilationJob", when=_by_neo)
_serve = partial(Row, kind="serve", service="sagemaker", operation="CreateEndpointConfig")
_deploy = partial(Row, kind="deploy", service="greengrassv2", operation="CreateDeployment")
_thing = partial(Row, kind="deploy", service="greengrassv2", operation="GetCoreDevice")
_group = partial(Row, kind="deploy", service="iot", operation="ListThingsInThingGroup")

_METRICS = "AlgorithmSpecification.MetricDefinitions"
_CLUSTER = "ProcessingResources.ClusterConfig"
_ARGUMENT = "AppSpecification.ContainerArguments[]"
_JOB = "iotJobConfiguration"
_OUT = "Put it into a file beside the script."

TABLE: tuple[Row, ...] = (
    _train(key="instance", member="ResourceConfig.InstanceType", what="instance type"),
    _train(key="volume_gb", member="ResourceConfig.VolumeSizeInGB", what="disk size"),
    _train(key="max_runtime", member="StoppingCondition.MaxRuntimeInSeconds", what="run time", form=_seconds),
    _train(key="image", member="AlgorithmSpecification.TrainingImage", what="image"),
    _train(key="algorithm", member="AlgorithmSpecification.AlgorithmName", what="algorithm"),
    _train(key="hyperparameters.*key", member="HyperParameters{key}", what="hyperparameter name"),
    _train(
        key="hyperparameters.*",
        member="HyperParameters{}",
        what="hyperparameter, as JSON,",
        form=json.dumps,
        hint=_OUT,
    ),
    _train(
        key="hyperparameters",
        member="HyperParameters",
        what=f"hyperparameters (with the {OWN_HYPERPARAMETERS} that edgepipe adds)",
        form=_with_own,
        when=_runs_script,
        hint="Put some into a file beside the script.",
    ),
    _train(
        key="hyperparameters",
        member="HyperParameters",
        what="hyperparameters",
        form=len,
        when=_runs_no_script,
        hint="Leave out those that keep their defaults.",
    ),
    _train(key="gate.*key", member=f"{_METRICS}[].Name", what="metric name"),
    _train(
        key="gate",
        member=_METRICS,
        what="metrics",
        form=len,
        hint="Keep those that decide whether a model is good.",
    ),
    _process(key="instance", member=f"{_CLUSTER}.InstanceType", what="instance type"),
    _process(key="volume_gb", member=f"{_CLUSTER}.VolumeSizeInGB", what="disk size"),
    _process(
        key="max_runtime", member="StoppingCondition.MaxRuntimeInSeconds", what="run time", form=_seconds
    ),
    _process(key="targets.*", member=_ARGUMENT, what="target"),
    _process(
        kind="label",
        key="labels",
        member=_ARGUMENT,
        what="list of labels, as JSON,",
        form=json.dumps,
        when=_compiled_by_job,
        hint="Shorten the labels: the compile step's job gets them all as one argument.",
    ),
    _neo(key="targets.*", member="OutputConfig.TargetDevice", what="device", form=_neo_device),
    _neo(key="targets.*", member="OutputConfig.TargetPlatform.Os", what="system", form=_neo_platform("Os")),
    _neo(
        key="targets.*",
        member="OutputConfig.TargetPlatform.Arch",
        what="architecture",
        form=_neo_platform("Arch"),
    ),
    _neo(
        key="targets.*",
        member="OutputConfig.TargetPlatform.Accelerator",
        what="accelerator",
        form=_neo_platform("Accelerator"),
    ),
    _neo(key="max_runtime", member="StoppingCondition.MaxRuntimeInSeconds", what="run time", form=_seconds),
    Row(
        kind="label",
        service="sagemaker",
        operation="CreateLabelingJob",
        key="timeout",
        member="HumanTaskConfig.TaskAvailabilityLifetimeInSeconds",
        what="timeout",
        form=_seconds,
        when=_by_people,
    ),
    _serve(key="instance", member="ProductionVariants[].InstanceType", what="instance type"),
    _serve(key="instances", member="ProductionVariants[].InitialInstanceCount", what="number of instances"),
    Row(
        kind="custom",
        service="lambda",
        operation="Invoke",
        key="handler",
        member="FunctionName",
        what="function",
        form=_arn,
    ),
    Row(
        kind="publish",
        service="greengrassv2",
        operation="DescribeComponent",
        key="component",
        member="arn",
        what="component name",
        form=_component_arn,
    ),
    _deploy(
        kind="publish",
        key="version",
        member="components{}.componentVersion",
        what="version",
        form=_explicit,
    ),
    _deploy(key="targets.*", member="targetArn", what="target", form=_target_arn),
    _deploy(key="waves.*.targets.*", member="targetArn", what="target", form=_target_arn),
    _deploy(
        key="waves.*.rate",
        member=f"{_JOB}.jobExecutionsRolloutConfig.maximumPerMinute",
        what="rate",
        form=_leading_number,
    ),
    _deploy(
        key="waves.*.abort_if",
        member=f"{_JOB}.abortConfig.criteriaList[].thresholdPercentage",
        what="share of devices",
        form=_leading_number,
    ),
    _deploy(key="components.*key", member="components{key}", what="component name", form=_component_name),
    _deploy(
        key="components.*",
        member="components{}.configurationUpdate.merge",
        what="configuration, as JSON,",
        form=_merge,
    ),
    _thing(key="targets.*", member="coreDeviceThingName", what="thing", form=_after("thing/")),
    _thing(key="waves.*.targets.*", member="coreDeviceThingName", what="thing", form=_after("thing/")),
    _group(key="targets.*", member="thingGroupName", what="group", form=_after("thinggroup/")),
    _group(key="waves.*.targets.*", member="thingGroupName", what="group", form=_after("thinggroup/")),
)
