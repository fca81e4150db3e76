"""`apply`: from a spec to a live version of its state machine in seconds, without CloudFormation.

Everything is looked at before anything is changed, and runs notice nothing until the last change, which
moves the alias. What was cut off half-way is found and finished by the next `apply`: files and functions are
named by their content, and a version that was published but never went live is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations import functions, roles
from operations.changes import Change
from operations.console import machine_url
from operations.errors import OperationError
from operations.session import ask
from operations.settling import patiently
from operations.source import Origin
from operations.versions import Machines, Version, open_machines
from pipelines import machine, nodes, platform, topics
from pipelines.definition import substitute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.session import Aws, Caller, Client
    from operations.source import Source
    from pipelines.usecase import UseCase


@dataclass(frozen=True, kw_only=True)
class Release:
    """What `apply` or `rollback` did."""

    pipeline: str
    account: str
    region: str
    version: int
    before: int | None
    changes: tuple[Change, ...]
    url: str
    stack: str = ""
    """The CloudFormation stack that the state machine is of, where there is one."""
    idle: tuple[str, ...] = ()
    """The sections of the spec that only such a stack carries out, where there is none."""

    @property
    def changed(self) -> bool:
        """Say whether anything was done at all."""
        return any(change.action != "unchanged" for change in self.changes)

    def as_json(self) -> dict[str, object]:
        """Return what `--output json` prints."""
        changes = [vars(change) for change in self.changes]
        return {**vars(self), "changed": self.changed, "changes": changes}

    def render(self) -> str:
        """Return the changes and where to look, as lines."""
        now = f"version {self.version} of '{self.pipeline}' is live"
        before = "" if self.before in (None, self.version) else f", before it was version {self.before}"
        head = f"{now}{before}" if self.changed else f"nothing to do: {now} and is what this spec says"
        changes = [change.render() for change in self.changes]
        return "\n".join([*changes, head, *self._notes(), f"  {self.url}"])

    def _notes(self) -> Iterator[str]:
        if self.stack:
            yield (
                f"note: it is of the stack {self.stack}. Whoever deploys it from another spec puts "
                f"that one in the place of version {self.version}: deploy it from this one"
            )
        if self.idle:
            yield (
                f"note: {' and '.join(self.idle)} of this spec do nothing yet: the stack "
                f"edgepipe-pipeline-{self.pipeline} carries them out (docs/operations.md, Deploying)"
            )


def apply(aws: Aws, caller: Caller, usecase: UseCase, source: Source) -> Release:
    """Make the spec's pipeline live. Raises OperationError, botocore's errors."""
    machines = open_machines(aws, caller.account)
    pipeline = source.compiled.pipeline.name
    _check_topics(source, usecase)
    platform_functions = functions.find_platform(aws, source)
    custom = functions.plan_custom(source)
    role = _custom_role(aws) if custom else ""
    there = aws.enter(usecase)
    live, stack = machines.live(pipeline), machines.stack(pipeline)
    changes = list(_upload(there.client("s3"), usecase.results_bucket, source))
    arns = dict(platform_functions)
    for function in custom:
        arns[function.marker], change = functions.put_custom(aws, function, role)
        changes.append(change)
    definition = substitute(
        source.compiled.definition, arns | usecase.markers() | _addresses(usecase, source)
    )
    machine_role, change = roles.put_machine_role(aws, pipeline, caller.account, arns.values())
    origin = Origin(source=source.digest, commit=source.commit, spec=_address(usecase, source.spec_key))
    version, published = _publish(machines, pipeline, definition, machine_role, origin)
    changes += [change, published, _move(machines, pipeline, version, live)]
    return Release(
        pipeline=pipeline,
        account=caller.account,
        region=aws.region,
        version=version.number,
        before=live.number if live else None,
        changes=tuple(changes),
        stack=stack,
        idle=() if stack else tuple(_left_to_a_stack(source)),
        url=machine_url(machines.arn(pipeline)),
    )


def rollback(aws: Aws, caller: Caller, pipeline: str, to: int | None) -> Release:
    """Move the alias to an older version: the one before the live one, or `to`. Raises OperationError."""
    machines = open_machines(aws, caller.account)
    live = machines.require_live(pipeline)
    numbers = {int(arn.rsplit(":", 1)[1]): arn for arn in machines.versions(pipeline)}
    wanted = max((n for n in numbers if n < live.number), default=None) if to is None else to
    if wanted is None or wanted not in numbers:
        listed = ", ".join(map(str, sorted(numbers)))
        what = "no older version" if to is None else f"no version {to}"
        message = f"pipeline '{pipeline}' has {what}: there are {listed}, and {live.number} is live"
        raise OperationError(message)
    version = machines.version(numbers[wanted])
    return Release(
        pipeline=pipeline,
        account=caller.account,
        region=aws.region,
        version=wanted,
        before=live.number,
        changes=(_move(machines, pipeline, version, live),),
        url=machine_url(machines.arn(pipeline)),
    )


def _left_to_a_stack(source: Source) -> Iterator[str]:
    """Yield the sections of a spec that `apply` cannot carry out: what starts runs and tells how they end."""
    root = source.compiled.pipeline.root
    if nodes.find(root, "triggers"):
        yield "triggers"
    if any(item.text != "waiting" for item in nodes.items(nodes.find(root, "notify", "on"))):
        yield "notify"


def _check_topics(source: Source, usecase: UseCase) -> None:
    """Refuse what nobody could be told. Raises OperationError."""
    wrong = topics.find_wrong(machine.parse(source.compiled.definition), usecase)
    if wrong:
        message = f"{source.spec}: {wrong}"
        raise OperationError(message)


def _custom_role(aws: Aws) -> str:
    """Return the role of all custom steps' functions, which the platform brings."""
    name = platform.function_role_name("custom")
    found = ask(aws.client("iam").get_role, "NoSuchEntity", RoleName=name)
    if found is None:
        message = f"the platform lacks the role {name} for custom steps: run `edgepipe deploy` first"
        raise OperationError(message)
    return str(found["Role"]["Arn"])


def _address(usecase: UseCase, key: str) -> str:
    return f"s3://{usecase.results_bucket}/{key}"


def _addresses(usecase: UseCase, source: Source) -> dict[str, str]:
    return {file.asset.marker: _address(usecase, file.key) for file in source.files}


def _upload(s3: Client, bucket: str, source: Source) -> Iterator[Change]:
    """Upload what is not there yet; a name stands for one content, so what is there is right."""
    objects = {file.key: (f"asset {file.asset.name}", file.data) for file in source.files}
    objects[source.spec_key] = ("spec", source.text.encode())
    for key, (what, data) in objects.items():
        if ask(s3.head_object, "404", "NoSuchKey", "NotFound", Bucket=bucket, Key=key) is None:
            s3.put_object(Bucket=bucket, Key=key, Body=data)
            yield Change(what=what, action="uploaded", detail=f"s3://{bucket}/{key}")
        else:
            yield Change(what=what, action="unchanged")


def _publish(
    machines: Machines, pipeline: str, definition: str, role: str, origin: Origin
) -> tuple[Version, Change]:
    """Return the version with this definition: the newest one, if it has it, or a new one."""
    what = f"state machine {platform.machine_name(pipeline)}"
    wanted = {
        "definition": definition,
        "roleArn": role,
        "publish": True,
        "versionDescription": origin.render(),
    }
    if machines.describe(pipeline) is None:
        name = platform.machine_name(pipeline)
        made = patiently(machines.client.create_state_machine, name=name, **wanted)
        return machines.version(made["stateMachineVersionArn"]), Change(what=what, action="created")
    newest = next(iter(machines.versions(pipeline)), None)
    version = machines.version(newest) if newest else None
    if version and (version.definition, version.role_arn) == (definition, role):
        return version, Change(what=what, action="unchanged")
    update = machines.client.update_state_machine
    made = patiently(update, stateMachineArn=machines.arn(pipeline), **wanted)
    return machines.version(made["stateMachineVersionArn"]), Change(what=what, action="updated")


def _move(machines: Machines, pipeline: str, version: Version, live: Version | None) -> Change:
    what = f"alias {platform.LIVE}"
    if live and live.arn == version.arn:
        return Change(what=what, action="unchanged")
    machines.point(pipeline, version.arn)
    return Change(what=what, action="moved" if live else "created", detail=f"version {version.number}")
