"""A use case as usecases/<id>.yaml describes it: its accounts, how to enter them, where its things lie.

Read as a spec is: text → nodes with positions → schema → frozen values, every mistake at its place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import schema, shape, source, spec
from pipelines.assets import read_spec
from pipelines.diagnostics import START, Diagnostic, RequestError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.nodes import Node

_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9./:_@-]*[A-Za-z0-9])?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_SCHEMA = "usecase.schema.json"
_NOTES: Mapping[str, str] = {
    "role_arn": "The handlers assume this role, and must say the ExternalId.",
    "operator_role_arn": "The edgepipe command assumes this one, with the same ExternalId.",
    "execution_role_arn": "SageMaker jobs run under this role.",
    "data_bucket": "Images; what runs write; Greengrass components.",
    "orchestrator": "The platform that runs this use case's pipelines; nothing is done in any other account.",
    "data": "The data bucket lies in this account.",
}


class UnregisteredError(RequestError):
    """No file describes a use case; the message says how to write one."""


@dataclass(frozen=True, kw_only=True)
class Orchestrator:
    """The account and region of the platform."""

    account: str
    region: str


@dataclass(frozen=True, kw_only=True)
class DataAccount:
    """The account of the data bucket, where it is not the use case's own; `role_arn` is for people."""

    account: str
    role_arn: str | None
    external_id: str | None
    origins: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """A use case; the fields from `id` to `topic` are what `${{ usecase.x }}` can name."""

    id: str
    account: str
    region: str
    role_arn: str
    external_id: str
    execution_role_arn: str
    data_bucket: str
    results_bucket: str
    component_bucket: str
    optimize_image_uri: str
    operator_role_arn: str | None
    topic: str | None
    orchestrator: Orchestrator
    data: DataAccount | None

    def facts(self) -> dict[str, str]:
        """Return the fields that a pipeline may name and that are there."""
        found = {name: getattr(self, name) for name in spec.USECASE_FIELDS}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def operator(self) -> str:
        """Return the role that commands enter the account by."""
        return self.operator_role_arn or self.role_arn

    def markers(self) -> dict[str, str]:
        """Return the definition's markers `usecase_<field>` → value."""
        return {f"usecase_{name}": value for name, value in self.facts().items()}


def read(folder: Path, usecase_id: str) -> UseCase:
    """Read folder/<id>.yaml. Raises SpecError for its mistakes, UnregisteredError where it is not there."""
    path = folder / f"{usecase_id}.yaml"
    if not path.is_file():
        message = (
            f"the use case '{usecase_id}' is not registered: there is no {path}. "
            f"Write one with `edgepipe usecase init {usecase_id}`, or name its folder with --usecase-dir"
        )
        raise UnregisteredError(message)
    return parse(read_spec(path), path=path.as_posix(), expected=usecase_id)


def parse(text: str, *, path: str, expected: str = "") -> UseCase:
    """Parse a use case's text. Raises SpecError with every mistake.

    `path` is the file's name as diagnostics show it, `expected` the id that the file's name says.
    """
    text = source.normalise(text)
    if not text.strip():
        empty = Diagnostic(code="P006", message="the use case is empty", hint="Begin with 'id: NAME'.")
        raise SpecError([empty], path=path, text=text)
    root, found = source.parse(text)
    mistakes = list(found)
    value: Any = None
    if root is not None:
        checked = shape.check(root, schema.load(_SCHEMA), "the use case")
        value = checked.value
        mistakes += checked.diagnostics
    if not mistakes and root is not None:
        mistakes += _check(root, value, expected)
    if mistakes:
        raise SpecError(mistakes, path=path, text=text)
    return _build(value)


def render(usecase: UseCase) -> str:
    """Write a use case as the YAML that `parse` reads."""
    lines = ["# yaml-language-server: $schema=../schemas/usecase.schema.json"]
    for name, value in usecase.facts().items():
        lines += [f"# {_NOTES[name]}"] if name in _NOTES else []
        lines.append(f"{name}: {_write(value)}")
    there = usecase.orchestrator
    lines += _section("orchestrator", {"account": there.account, "region": there.region})
    if usecase.data:
        lines += _data_section(usecase.data)
    return "\n".join(lines) + "\n"


def list_ids(folder: Path) -> list[str]:
    """Return the ids of the use cases that a folder describes, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def draft(
    usecase_id: str,
    *,
    account: str,
    region: str,
    orchestrator: Orchestrator,
    external_id: str,
    data_account: str | None = None,
) -> UseCase:
    """Return a use case with the names that the account stacks give to what they make."""
    role = f"arn:aws:iam::{account}:role/edgepipe-{usecase_id}"
    registry = f"{orchestrator.account}.dkr.ecr.{region}.amazonaws.com"
    return UseCase(
        id=usecase_id,
        account=account,
        region=region,
        role_arn=role,
        external_id=external_id,
        execution_role_arn=f"{role}-jobs",
        data_bucket=f"{usecase_id}-data-{data_account or account}",
        results_bucket=f"{usecase_id}-results-{account}",
        component_bucket=f"{usecase_id}-components-{account}",
        operator_role_arn=f"{role}-operator",
        optimize_image_uri=f"{registry}/edgepipe-optimize:latest",
        topic=None,
        orchestrator=orchestrator,
        data=_draft_data(usecase_id, data_account, external_id) if data_account else None,
    )


def _draft_data(usecase_id: str, account: str, external_id: str) -> DataAccount:
    role = f"arn:aws:iam::{account}:role/edgepipe-{usecase_id}-reader"
    return DataAccount(account=account, role_arn=role, external_id=external_id, origins=())


def _write(value: str) -> str:
    """Quote what YAML, or an older reader of it, would take for anything but this text."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def _section(name: str, values: Mapping[str, str | None]) -> Iterator[str]:
    yield f"# {_NOTES[name]}"
    yield f"{name}:"
    yield from (f"  {key}: {_write(value)}" for key, value in values.items() if value)


def _data_section(data: DataAccount) -> Iterator[str]:
    facts = {"account": data.account, "role_arn": data.role_arn, "external_id": data.external_id}
    yield from _section("data", facts)
    if data.origins:
        yield "  origins:"
        yield from (f"    - {origin}" for origin in data.origins)


def _check(root: Node, value: Mapping[str, Any], expected: str) -> Iterator[Diagnostic]:
    """Check what one key alone does not show: whose role it is, and which file this is."""
    places = shape.Shape()
    if expected and value["id"] != expected:
        found = places.find(root, "id")
        hint = f"Rename the file to {value['id']}.yaml, or write 'id: {expected}'."
        yield _wrong(found, f"the file is named {expected}.yaml, but 'id' is '{value['id']}'", hint)
    for name in ("role_arn", "execution_role_arn", "operator_role_arn"):
        if not value.get(name):
            continue
        yield from _check_owner(places.find(root, name), name, value[name], value["account"])
    data = value.get("data", {})
    if data.get("role_arn"):
        yield from _check_owner(
            places.find(root, "data", "role_arn"), "role_arn", data["role_arn"], data["account"]
        )


def _check_owner(node: Node | None, name: str, arn: str, account: str) -> Iterator[Diagnostic]:
    owner = arn.split(":")[4]
    if owner != account:
        yield _wrong(
            node, f"'{name}' is a role of account {owner}, not of {account}", "Name a role of that account."
        )


def _wrong(node: Node | None, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code="P013", message=message, span=node.span if node else START, hint=hint)


def _build(value: Mapping[str, Any]) -> UseCase:
    there, data = value["orchestrator"], value.get("data")
    facts: dict[str, Any] = {name: value.get(name) for name in spec.USECASE_FIELDS}
    return UseCase(
        **facts,
        orchestrator=Orchestrator(account=there["account"], region=there.get("region", value["region"])),
        data=data and _build_data(data),
    )


def _build_data(value: Mapping[str, Any]) -> DataAccount:
    return DataAccount(
        account=value["account"],
        role_arn=value.get("role_arn"),
        external_id=value.get("external_id"),
        origins=tuple(value.get("origins", ())),
    )
