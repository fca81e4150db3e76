"""What the platform's roles may do: the table of `pipelines.rights`, with ARNs for its scopes.

A pipeline's own policies (`edgepipe policy`) are narrower still. Handlers serve all pipelines of a use case,
and these come and go by `edgepipe apply`; so roles are as wide as one use case, and no wider.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pipelines import platform, policies, rights
from stacks.places import Place
from stacks.reasons import LOG_DELIVERY, TRACING
from stacks.roles import allow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.usecase import UseCase

Statements = list[dict[str, Any]]

CUSTOM = "custom"
CALLERS = tuple(
    name
    for name in (*platform.kind_functions(), CUSTOM, *platform.SERVICE_FUNCTIONS)
    if "sts:AssumeRole" in rights.HANDLERS[name]
)
"""The functions whose roles enter use-case accounts, by the name of their role."""

FRAMEWORK_REPOSITORIES = ("pytorch-training", "sagemaker-scikit-learn", "tensorflow-training")
"""The repositories of the images that `tasks.frameworks` names; AWS has an account for each region."""

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)")
_MARKER = re.compile(r"\$\{([a-z0-9_]+)\}")
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def function_statements(name: str, home: Place, usecases: Sequence[UseCase]) -> Statements:
    """Return what a function's own role may do, in the orchestrator's account."""
    log = "edgepipe-custom*" if name == CUSTOM else platform.function_name(name)
    scopes = {
        "role": tuple(each.role_arn for each in usecases),
        "jobs": (home.jobs_table(),),
        "open_jobs": (f"{home.jobs_table()}/index/open-jobs",),
        "executions": (home.arn("states", "execution:edgepipe-*"),),
        "any_task": ("*",),
        "topics": tuple(sorted({each.topic for each in usecases if each.topic})),
        "log": (f"{home.log_group(log)}:*",),
    }
    return _statements(rights.HANDLERS[name], scopes, own=True)


def usecase_statements(usecase: UseCase) -> Statements:
    """Return what handlers may do as the use case's role: what any of them needs there."""
    needed: dict[str, set[str]] = defaultdict(set)
    for name in CALLERS:
        for action, scopes in rights.HANDLERS[name].items():
            needed[action].update(scopes)
    allowed = {action: tuple(sorted(scopes)) for action, scopes in needed.items()}
    return _statements(allowed, _usecase_scopes(usecase), own=False)


def execution_statements(usecase: UseCase) -> Statements:
    """Return what SageMaker's jobs may do: read their inputs, write their results, log, pull their image."""
    logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
    results, data = _bucket(usecase.results_bucket), _bucket(usecase.data_bucket)
    return [
        allow(["s3:GetObject"], [f"{data}/*", f"{results}/assets/*", f"{results}/runs/*"]),
        allow(["s3:PutObject"], [f"{results}/runs/*"]),
        allow(["s3:ListBucket"], [data, results]),
        allow(logs, [_job_logs(usecase)]),
        allow(
            ["cloudwatch:PutMetricData"],
            ["*"],
            StringLike={"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*"]},
        ),
        allow(["ecr:GetAuthorizationToken"], ["*"]),
        allow(_PULL, list(_repositories(usecase))),
    ]


def operator_statements(usecase: UseCase) -> Statements:
    """Return what edgepipe's commands and deployments do there: bring files and components, and look."""
    scopes = _usecase_scopes(usecase)
    here = Place(account=usecase.account, region=usecase.region)
    results, components = _bucket(usecase.results_bucket), _bucket(usecase.component_bucket)
    buckets = sorted(
        {results, components} | ({_bucket(usecase.data_bucket)} if usecase.data is None else set())
    )
    return [
        allow(["s3:GetObject", "s3:PutObject"], [f"{components}/components/*", f"{results}/assets/*"]),
        allow(["s3:GetObject"], [f"{results}/runs/*"]),
        allow(["s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:ListBucket"], buckets),
        allow(
            ("greengrass:CreateComponentVersion", "greengrass:DescribeComponent", "greengrass:TagResource"),
            scopes["components"] + scopes["component_versions"],
        ),
        allow(["greengrass:ListComponentVersions"], scopes["components"]),
        allow(["greengrass:GetCoreDevice"], scopes["devices"]),
        allow(["logs:FilterLogEvents"], [_job_logs(usecase)]),
        allow(["servicequotas:ListAWSDefaultServiceQuotas", "servicequotas:ListServiceQuotas"], ["*"]),
        allow(["ssm:GetParameter"], [here.parameter(platform.BOOTSTRAP)]),
        allow(["iam:GetRole"], [usecase.role_arn]),
    ]


def device_statements(usecase: UseCase) -> Statements:
    """Return what a core device's own role needs beside Greengrass's: to fetch its components."""
    return [allow(["s3:GetObject"], [f"{_bucket(usecase.component_bucket)}/components/*"])]


def machine_statements(machine: policies.Policy, functions: Mapping[str, str]) -> Statements:
    """Return what a state machine's role may call: the derived policy.

    A version that `edgepipe apply` made calls the version of a custom step's function that it came with.
    """
    derived = [each.as_json() for each in machine.statements]
    for statement in derived:
        named = [_function(resource, functions) for resource in statement["Resource"]]
        own = [
            f"{functions[name]}:*" for name in _markers(statement["Resource"]) if name.startswith("custom_")
        ]
        statement["Resource"] = sorted([*named, *own])
    return derived


TELEMETRY: Statements = [allow(LOG_DELIVERY, ["*"]), allow(TRACING, ["*"])]
"""What Step Functions needs to write a state machine's log and traces
(docs.aws.amazon.com/step-functions/latest/dg: cw-logs.html, concepts-xray-tracing.html)."""


def _markers(resources: Sequence[str]) -> list[str]:
    found = (_MARKER.fullmatch(resource) for resource in resources)
    return [match[1] for match in found if match]


def _function(resource: str, functions: Mapping[str, str]) -> str:
    """Return a function's ARN for its marker; an ARN that the spec gives stays."""
    found = _MARKER.fullmatch(resource)
    return functions[found[1]] if found else resource


def _statements(
    allowed: Mapping[str, tuple[str, ...]], scopes: Mapping[str, tuple[str, ...]], *, own: bool
) -> Statements:
    known: defaultdict[str, tuple[str, ...]] = defaultdict(tuple, scopes)
    return [each.as_json() for each in policies.build_policy(allowed, known, own=own).statements]


def _usecase_scopes(usecase: UseCase) -> dict[str, tuple[str, ...]]:
    here = Place(account=usecase.account, region=usecase.region)
    results, components = _bucket(usecase.results_bucket), _bucket(usecase.component_bucket)
    data = _bucket(usecase.data_bucket)
    greengrass = here.arn("greengrass", "")
    devices = (f"{greengrass}coreDevices:*",)
    return {
        "execution_role": (usecase.execution_role_arn,),
        "labeling_jobs": (here.arn("sagemaker", "labeling-job/*"),),
        "training_jobs": (here.arn("sagemaker", "training-job/*"),),
        "processing_jobs": (here.arn("sagemaker", "processing-job/*"),),
        "runs": (f"{results}/runs/*",),
        "assets": (f"{results}/assets/*",),
        "results_bucket": (results,),
        "component_bucket": (components,),
        "component_files": (f"{components}/components/*",),
        "data": (f"{data}/*",),
        "data_buckets": (data,),
        "components": (f"{greengrass}components:*",),
        "component_versions": (f"{greengrass}components:*:versions:*",),
        "deployed_components": (
            f"{greengrass}components:*",
            f"arn:aws:greengrass:{usecase.region}:aws:components:*",
        ),
        "devices": devices,
        "group_devices": devices,
        "things": (here.arn("iot", "thing/*"),),
        "groups": (here.arn("iot", "thinggroup/*"),),
        "group_things": (here.arn("iot", "thing/*"),),
        "any_target": ("*",),
        "any_deployment": (f"{greengrass}deployments:*",),
        "any_job": (here.arn("iot", "job/*"),),
    }


def _repositories(usecase: UseCase) -> Iterator[str]:
    """Yield the repositories that jobs pull from: ours, if it is in ECR, and those of AWS's frameworks."""
    found = _ECR.match(usecase.optimize_image_uri)
    if found:
        place = Place(account=found["account"], region=found["region"])
        yield place.arn("ecr", f"repository/{found['name']}")
    for name in FRAMEWORK_REPOSITORIES:
        yield f"arn:aws:ecr:{usecase.region}:*:repository/{name}"


def _job_logs(usecase: UseCase) -> str:
    return Place(account=usecase.account, region=usecase.region).arn("logs", "log-group:/aws/sagemaker/*")


def _bucket(name: str) -> str:
    return f"arn:aws:s3:::{name}"
