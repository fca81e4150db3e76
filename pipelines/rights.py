"""What each handler may call, and on what: data for `policies`.

A handler's actions are those of its module's ACTIONS (a contract test holds both to each other). Each action
names the scopes it is needed on; `policies` turns a scope into ARNs. Which resources an action can be limited
to: docs.aws.amazon.com/service-authorization/latest/reference, the page of the service that the action names.
"""

from __future__ import annotations

from collections.abc import Mapping

Scopes = tuple[str, ...]
Rights = Mapping[str, Scopes]
"""Action → the scopes that it is allowed on."""

WIDE: Mapping[str, str] = {
    "any_task": "a task token has no ARN, and Step Functions offers no resource for SendTask*",
    "any_deployment": "Greengrass chooses the ids of deployments",
    "any_target": "CreateDeployment and ListDeployments take no resource; the IoT actions limit their reach",
    "any_job": "Greengrass chooses the names of the IoT jobs behind a deployment",
    "group_devices": "who is in a thing group is known only when the deployment begins",
    "group_things": "who is in a thing group is known only when the deployment begins",
}
"""The scopes that no ARN of this pipeline can be named for, each with the reason."""

ORCHESTRATOR = frozenset({"dynamodb", "logs", "sns", "states", "sts"})
"""Services whose actions the handler's own role needs; all others are called as the use case's role."""

LOGS: Rights = {"logs:CreateLogStream": ("log",), "logs:PutLogEvents": ("log",)}
"""What Lambda itself needs to write a function's log."""

_ASSUME: Rights = {"sts:AssumeRole": ("role",)}
_ANSWER: Rights = {
    **_ASSUME,
    "dynamodb:GetItem": ("jobs",),
    "dynamodb:UpdateItem": ("jobs",),
    "states:SendTaskFailure": ("any_task",),
    "states:SendTaskHeartbeat": ("any_task",),
    "states:SendTaskSuccess": ("any_task",),
}
_CALLBACK: Rights = {**_ANSWER, "dynamodb:PutItem": ("jobs",)}
_ASK: Rights = {action: scopes for action, scopes in _CALLBACK.items() if action not in _ASSUME}
"""What waiting for a person takes: there is no job in a use case's account."""
_RESULTS: Rights = {"s3:GetObject": ("given", "runs"), "s3:ListBucket": ("given_buckets", "results_bucket")}
_WRITTEN: Rights = {**_RESULTS, "s3:PutObject": ("runs",)}
_DATA: Rights = {
    "s3:GetObject": ("data", "given", "runs"),
    "s3:ListBucket": ("data_buckets", "given_buckets", "results_bucket"),
    "s3:PutObject": ("runs",),
}
_PEOPLE: Rights = {
    **_CALLBACK,
    "iam:PassRole": ("execution_role",),
    "sagemaker:AddTags": ("labeling_jobs",),
    "sagemaker:CreateLabelingJob": ("labeling_jobs",),
    "sagemaker:DescribeLabelingJob": ("labeling_jobs",),
    "sagemaker:StopLabelingJob": ("labeling_jobs",),
}
_ROLLOUT: Rights = {
    "greengrass:CancelDeployment": ("any_deployment",),
    "greengrass:CreateDeployment": ("any_target",),
    "greengrass:GetCoreDevice": ("devices", "group_devices"),
    "greengrass:GetDeployment": ("any_deployment",),
    "greengrass:ListDeployments": ("any_target",),
    "greengrass:ListEffectiveDeployments": ("devices", "group_devices"),
    "greengrass:ListInstalledComponents": ("devices", "group_devices"),
    "greengrass:TagResource": ("any_deployment",),
    "iot:CancelJob": ("any_job",),
    "iot:CreateJob": ("any_job", "things", "groups"),
    "iot:DeleteThingShadow": ("things", "group_things"),
    "iot:DescribeJob": ("any_job",),
    "iot:DescribeThing": ("things", "group_things"),
    "iot:DescribeThingGroup": ("groups",),
    "iot:GetThingShadow": ("things", "group_things"),
    "iot:ListThingsInThingGroup": ("groups",),
    "iot:UpdateJob": ("any_job",),
    "iot:UpdateThingShadow": ("things", "group_things"),
}
"""What a rollout takes, and to take a failed one back: deployments act on IoT in their creator's name."""

_SETTLE: Rights = {
    **_ANSWER,
    "dynamodb:Query": ("open_jobs",),
    "states:DescribeExecution": ("executions",),
    **_WRITTEN,
    **_ROLLOUT,
    "sagemaker:DescribeLabelingJob": ("labeling_jobs",),
    "sagemaker:DescribeProcessingJob": ("processing_jobs",),
    "sagemaker:DescribeTrainingJob": ("training_jobs",),
    "sagemaker:StopLabelingJob": ("labeling_jobs",),
    "sagemaker:StopProcessingJob": ("processing_jobs",),
    "sagemaker:StopTrainingJob": ("training_jobs",),
}
"""What looking at a job of any kind takes, and ending it."""

HANDLERS: Mapping[str, Rights] = {
    "label": {**_PEOPLE, **_DATA},
    "transform": {**_ASSUME, **_DATA},
    "train": {
        **_CALLBACK,
        **_RESULTS,
        "iam:PassRole": ("execution_role",),
        "sagemaker:AddTags": ("training_jobs",),
        "sagemaker:CreateTrainingJob": ("training_jobs",),
        "sagemaker:DescribeTrainingJob": ("training_jobs",),
        "sagemaker:StopTrainingJob": ("training_jobs",),
    },
    "compile": {
        **_CALLBACK,
        **_RESULTS,
        "iam:PassRole": ("execution_role",),
        "sagemaker:AddTags": ("processing_jobs",),
        "sagemaker:CreateProcessingJob": ("processing_jobs",),
        "sagemaker:DescribeProcessingJob": ("processing_jobs",),
        "sagemaker:StopProcessingJob": ("processing_jobs",),
    },
    "package": {**_ASSUME, **_WRITTEN, "s3:GetObject": ("assets", "given", "runs")},
    "publish": {
        **_ASSUME,
        "s3:GetObject": ("component_files", "given", "runs"),
        "s3:ListBucket": ("component_bucket", "given_buckets", "results_bucket"),
        "s3:PutObject": ("component_files", "runs"),
        "greengrass:CreateComponentVersion": ("components", "component_versions"),
        "greengrass:DescribeComponent": ("component_versions",),
        "greengrass:ListComponentVersions": ("components",),
        "greengrass:TagResource": ("components", "component_versions"),
    },
    "deploy": {
        **_CALLBACK,
        **_WRITTEN,
        **_ROLLOUT,
        "greengrass:GetComponent": ("component_versions",),
        "greengrass:ListComponentVersions": ("deployed_components",),
    },
    "approve": {**_ASK, "sns:Publish": ("topics",)},
    "custom": _ASSUME,
    "judge": {},
    "events": _SETTLE,
    "sweeper": _SETTLE,
}
"""Handler → what it may call. The sweeper and the event handler serve all pipelines: the platform's own.

What a function of the author's own does beyond entering the use case's account is its author's to allow.
"""

SPARED: Mapping[tuple[str, str, str | None], frozenset[str]] = {
    ("label", "method", "folders"): frozenset({"s3:GetObject"}) | (_PEOPLE.keys() - _ASSUME.keys()),
    ("label", "method", "manifest"): frozenset(_PEOPLE.keys() - _ASSUME.keys()),
    ("deploy", "wave", None): frozenset(
        {"greengrass:ListInstalledComponents", "s3:GetObject", "s3:ListBucket"}
    ),
}
"""(kind, field of its config, its value or None for no such field) → actions that such a step does without.

Folders are only listed, and neither they nor a manifest need a job; only a wave looks at what runs on its
devices, and reads again why it failed.
"""
