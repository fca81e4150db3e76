"""The IAM policies of a state machine and of its handlers, derived from the definition.

A handler has two: its own role's, in the orchestrator's account, and what it does as the use case's role.
ARNs hold the definition's own markers (`${usecase_results_bucket}`) and two more that a deployment replaces:
`${jobs_table_arn}`, and a function's `${train_log_group_arn}`. A dataset that a run gives must lie in the use
case's data bucket, or where the spec says that datasets lie.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines import rights, topics
from pipelines.machine import texts, used_params
from pipelines.states import mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipelines.machine import Machine, Task
    from pipelines.rights import Rights

_HERE = "${usecase_region}:${usecase_account}"
_BUCKET = "arn:aws:s3:::"
_TARGET = re.compile(r"(thing|thinggroup)/[A-Za-z0-9:_-]+")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)(/[^\s\"]*)?")
_JOB_SLUG = 40
"""A job's name begins with this many characters of pipeline, step and target (tasks.protocol.job_name)."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Actions allowed on resources; `only_for` is the service that a role may be passed to, or empty."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    only_for: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the statement as IAM reads it."""
        condition = {"Condition": {"StringEquals": {"iam:PassedToService": self.only_for}}}
        return {
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
            **(condition if self.only_for else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What one role may do for one purpose."""

    statements: tuple[Statement, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the policy document."""
        return {"Version": "2012-10-17", "Statement": [each.as_json() for each in self.statements]}

    def grants(self) -> set[tuple[str, str]]:
        """Return every pair of action and resource."""
        return {pair for each in self.statements for pair in itertools.product(each.actions, each.resources)}


@dataclass(frozen=True, kw_only=True)
class Wide:
    """A resource that is wider than one would like, and why nothing narrower can be said."""

    handler: str
    resource: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies of a pipeline; `own` and `usecase` are by handler."""

    machine: Policy
    own: Mapping[str, Policy]
    usecase: Mapping[str, Policy]
    wide: tuple[Wide, ...]

    def as_json(self) -> dict[str, Any]:
        """Return {"machine", "handlers": {name: {"own", "usecase"}}, "wide"}."""
        handlers = {
            name: {"own": self.own[name].as_json(), "usecase": self.usecase[name].as_json()}
            for name in self.own
        }
        return {
            "machine": self.machine.as_json(),
            "handlers": handlers,
            "wide": [asdict(each) for each in self.wide],
        }

    def by_role(self) -> dict[str, Policy]:
        """Return every policy under the name of its role."""
        return {
            "state machine": self.machine,
            **self.own,
            **{f"{name} in the use case": policy for name, policy in self.usecase.items()},
        }


def derive(machine: Machine) -> Policies:
    """Derive the policies that a definition needs: no less than its handlers call, and no more."""
    scopes = _scopes(machine)
    handlers: dict[str, Rights] = {}
    for task in machine.tasks:
        if task.handler:
            handlers[task.handler] = {**handlers.get(task.handler, {}), **_rights(task)}
    named = {name: {**scopes, **_own_scopes(machine, name)} for name in sorted(handlers)}
    return Policies(
        machine=_machine_policy(machine),
        own={name: build_policy(handlers[name], named[name], own=True) for name in named},
        usecase={name: build_policy(handlers[name], named[name], own=False) for name in named},
        wide=tuple(_wide(handlers, scopes)),
    )


def render(policies: Policies) -> str:
    """Write the policies as JSON."""
    return json.dumps(policies.as_json(), indent=2) + "\n"


def job_prefix(pipeline: str, step: str) -> str:
    """Return what the names of all of a step's SageMaker jobs begin with."""
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", f"{pipeline}-{step}").strip("-")
    return slug[:_JOB_SLUG].strip("-") + "-"


def _rights(task: Task) -> Rights:
    """Return what the handler does for this step."""
    allowed = rights.HANDLERS.get(task.kind or task.handler, {})
    spared = {
        action
        for (kind, name, value), actions in rights.SPARED.items()
        if task.kind == kind and task.config.get(name) == value
        for action in actions
    }
    return {action: scopes for action, scopes in allowed.items() if action not in spared}


def _machine_policy(machine: Machine) -> Policy:
    functions = tuple(sorted({task.function for task in machine.tasks}))
    return Policy(statements=(Statement(actions=("lambda:InvokeFunction",), resources=functions),))


def build_policy(allowed: Rights, scopes: Mapping[str, tuple[str, ...]], *, own: bool) -> Policy:
    """Write rights as statements: one for all actions of a service that share their resources.

    `scopes` are the ARNs that each scope stands for; `own` chooses between what a handler does by its own
    role and what it does as the use case's.
    """
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for action, names in sorted({**allowed, **rights.LOGS}.items()):
        service = action.partition(":")[0]
        resources = tuple(sorted({arn for name in names for arn in scopes[name]}))
        if resources and (service in rights.ORCHESTRATOR) == own:
            found.setdefault((service, resources), []).append(action)
    return Policy(
        statements=tuple(
            Statement(
                actions=tuple(actions),
                resources=resources,
                only_for="sagemaker.amazonaws.com" if service == "iam" else "",
            )
            for (service, resources), actions in found.items()
        )
    )


def _wide(handlers: Mapping[str, Rights], scopes: Mapping[str, tuple[str, ...]]) -> Iterator[Wide]:
    for handler in sorted(handlers):
        used = {name for names in handlers[handler].values() for name in names}
        for name in sorted(used & set(rights.WIDE)):
            for arn in scopes[name]:
                yield Wide(handler=handler, resource=arn, reason=rights.WIDE[name])


def _scopes(machine: Machine) -> dict[str, tuple[str, ...]]:
    """Return every scope that the table of rights names, as the ARNs it stands for in this pipeline."""
    return {
        "role": (mark("usecase_role_arn"),),
        "execution_role": (mark("usecase_execution_role_arn"),),
        "jobs": (mark("jobs_table_arn"),),
        "open_jobs": (f"{mark('jobs_table_arn')}/index/open-jobs",),
        "labeling_jobs": tuple(_jobs(machine, "labeling-job", "label", method="ground-truth")),
        "training_jobs": tuple(_jobs(machine, "training-job", "train")),
        "processing_jobs": tuple(_jobs(machine, "processing-job", "compile")),
        **_bucket_scopes(machine),
        **_component_scopes(machine),
        **_device_scopes(machine),
        "any_task": ("*",),
        "topics": tuple(topics.find(machine)),
    }


def _own_scopes(machine: Machine, handler: str) -> dict[str, tuple[str, ...]]:
    """Return the scopes that every handler has its own of: its log, and artifacts from outside."""
    inputs = [task.payload.get("inputs") for task in machine.tasks if task.handler == handler]
    given = tuple(sorted(_addresses(machine, "\n".join(texts(inputs)))))
    return {
        "log": (f"${{{handler}_log_group_arn}}:*",),
        "given": given,
        "given_buckets": tuple(sorted({arn.partition("/")[0] for arn in given})),
    }


def _bucket_scopes(machine: Machine) -> dict[str, tuple[str, ...]]:
    results, components = (f"{_BUCKET}{mark(f'usecase_{name}_bucket')}" for name in ("results", "component"))
    data = list(_datasets(machine))
    return {
        "runs": (f"{results}/runs/{machine.pipeline}/*",),
        "assets": (f"{results}/assets/*",),
        "results_bucket": (results,),
        "component_bucket": (components,),
        "component_files": tuple(f"{components}/components/{name}/*" for name in _published(machine)),
        "data": tuple(data),
        "data_buckets": tuple(sorted({arn.partition("/")[0] for arn in data})),
    }


def _datasets(machine: Machine) -> Iterator[str]:
    """Yield where images lie: in the data bucket, for what a run gives, and where the spec says."""
    named = "\n".join(str(task.config.get("dataset")) for task in machine.tasks)
    yield f"{_BUCKET}{mark('usecase_data_bucket')}/*"
    yield from sorted(set(_addresses(machine, named)))


def _addresses(machine: Machine, text: str) -> Iterator[str]:
    """Yield the ARN of each S3 address in a text, and in the defaults of the parameters that it reads."""
    defaults = [machine.params.get(name, "") for name in sorted(used_params(text))]
    for bucket, key in _S3.findall("\n".join((text, *defaults))):
        yield f"{_BUCKET}{bucket}{(key or '/').rstrip('*')}*"


def _published(machine: Machine) -> list[str]:
    return sorted({str(task.config["component"]) for task in machine.tasks if "component" in task.config})


def _component_scopes(machine: Machine) -> dict[str, tuple[str, ...]]:
    """Name the components that are published, and those that are only deployed, AWS's own among them."""
    own = _published(machine)
    named = {name for task in machine.tasks for name in task.config.get("components", ())}
    base = f"arn:aws:greengrass:{_HERE}:components:"
    aws = "arn:aws:greengrass:${usecase_region}:aws:components:"
    return {
        "components": tuple(f"{base}{name}" for name in own),
        "component_versions": tuple(f"{base}{name}:versions:*" for name in own),
        "deployed_components": tuple(
            f"{aws if name.startswith('aws.greengrass.') else base}{name}" for name in sorted(named)
        ),
    }


def _device_scopes(machine: Machine) -> dict[str, tuple[str, ...]]:
    deploys = [task.config for task in machine.tasks if task.kind == "deploy"]
    targets = sorted({text for text in texts(deploys) if _TARGET.fullmatch(text)})
    things = [each.partition("/")[2] for each in targets if each.startswith("thing/")]
    groups = [each for each in targets if each.startswith("thinggroup/")]
    core, iot = f"arn:aws:greengrass:{_HERE}:coreDevices:", f"arn:aws:iot:{_HERE}:"
    return {
        "devices": tuple(f"{core}{name}" for name in things),
        "group_devices": (f"{core}*",) if groups else (),
        "things": tuple(f"{iot}thing/{name}" for name in things),
        "groups": tuple(f"{iot}{name}" for name in groups),
        "group_things": (f"{iot}thing/*",) if groups else (),
        "any_target": ("*",) if deploys else (),
        "any_deployment": (f"arn:aws:greengrass:{_HERE}:deployments:*",) if deploys else (),
        "any_job": (f"{iot}job/*",) if deploys else (),
    }


def _jobs(machine: Machine, resource: str, kind: str, **config: str) -> Iterable[str]:
    """Yield the names of a kind's jobs, but for the target and the digest at their ends.

    Only steps with this `config` have such jobs.
    """
    tasks = [task for task in machine.tasks if task.kind == kind and config.items() <= task.config.items()]
    for step in sorted({task.step for task in tasks}):
        yield f"arn:aws:sagemaker:{_HERE}:{resource}/{job_prefix(machine.pipeline, step)}*"
