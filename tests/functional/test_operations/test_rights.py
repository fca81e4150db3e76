"""The example in three accounts: what it calls is what its roles allow, and they allow nothing else."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import cli
from local_cloud.cloud import local_cloud
from local_cloud.labelling.sheets import Answer, Sheet, Sheets
from local_cloud.rules import rules
from pipelines import machine, platform, policies, usecase
from pipelines.compiler import compile_text
from tasks import callback
from tests.functional.test_operations import calls as recorder
from tests.functional.test_operations.conftest import (
    DATA,
    ORCHESTRATOR,
    REGION,
    USECASE,
    Platform,
    add_role,
    deploy,
    trust,
)
from tests.functional.test_run import draw_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.functional.test_operations.calls import Calls, Need

    Granted = Mapping[tuple[str, str], Mapping[str, Any]]
    """(who, the role that they have entered, if any) → a policy."""

EXAMPLE = Path(__file__).parents[3] / "examples" / "cookies"
ROLE = "edgepipe-cookie-factory"
MACHINES = f"arn:aws:states:{REGION}:{ORCHESTRATOR}:stateMachine"
TABLE = f"arn:aws:dynamodb:{REGION}:{ORCHESTRATOR}:table/edgepipe-jobs"
WAITING = ("train", "compile", "deploy")
BY_LAMBDA = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda does in a function's name, whatever the function does."""
BESIDE = {"s3:GetObject": "s3:ListBucket"}
"""Without the second, S3 answers the first with a denial where nothing is there."""
AGES = 10_000_000
PATIENCE = 400


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The example's platform with its real handlers, and its images in an account of their own."""
    with local_cloud(tmp_path / "state") as cloud:
        case = usecase.draft(
            "cookie-factory",
            account=USECASE,
            region=REGION,
            orchestrator=usecase.Orchestrator(account=ORCHESTRATOR, region=REGION),
            external_id="edgepipe-4711",
            data_account=DATA,
        )
        shutil.copytree(EXAMPLE, tmp_path / "cookies")
        made = Platform(cloud=cloud, usecase=case, folder=tmp_path / "cookies")
        made.folder.joinpath("usecases", "cookie-factory.yaml").write_text(usecase.render(case))
        deploy(made, {**platform.kind_functions(), **platform.SERVICE_FUNCTIONS})
        open_images(made)
        monkeypatch.chdir(made.folder)
        yield made


def open_images(made: Platform) -> None:
    """Do what the data account's stack does: the role for people, and the bucket's policy."""
    from stacks.data_account import bucket_statements

    data = made.usecase.data
    assert data is not None
    assert data.role_arn is not None
    person = trust({"AWS": f"arn:aws:iam::{ORCHESTRATOR}:root"}, data.external_id or "")
    add_role(made.client("iam", DATA), data.role_arn.rsplit("/", 1)[1], person)
    policy = {"Version": "2012-10-17", "Statement": bucket_statements(made.usecase)}
    made.client("s3", DATA).put_bucket_policy(Bucket=made.usecase.data_bucket, Policy=json.dumps(policy))


def upload(made: Platform) -> None:
    images = draw_dataset(made.folder / "images")
    s3 = made.client("s3", DATA)
    for path in sorted(images.rglob("*.*")):
        key = f"datasets/cookies/{path.relative_to(images).as_posix()}"
        s3.upload_file(str(path), made.usecase.data_bucket, key)


def edgepipe(*words: str) -> int:
    return cli.main(list(words))


@pytest.mark.soak
def test_the_example_does_what_it_may_and_may_do_nothing_else(
    factory: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run as usual; one whose handlers settle their jobs themselves, late and then in time."""
    upload(factory)
    factory.cloud.greengrass.add_device("local-device", USECASE)
    calls = recorder.record(monkeypatch)
    assert edgepipe("usecase", "register", "cookie-factory") == 0
    assert edgepipe("apply", "pipeline.yaml") == 0
    derived = derive(factory)
    with rules(factory.cloud.context):
        assert edgepipe("submit", "pipeline.yaml", "--param", "epochs=5", "--watch") == 0
    run_without_help(factory, calls, monkeypatch)
    assert edgepipe("doctor") == 5, "the test's platform has no bootstrap and no alarms"
    needs = calls.needs()
    assert refused(needs, derived) == []
    assert idle(needs, derived) == {}
    allowed = granted(factory)
    assert refused(needs, allowed) == []
    entered = {(need.caller, need.role) for need in needs if need.role}
    assert entered <= set(allowed), "nobody enters any other role"
    assert {caller for caller, _ in entered} >= {recorder.PERSON, "events", "sweeper", *WAITING}


PEOPLE = """version: 1
name: cookie-defects
usecase: cookie-factory
steps:
  label:
    method: ground-truth
    dataset: "s3://${{ usecase.data_bucket }}/datasets/cookies/"
    labels: [normal, anomaly]
  transform: {format: defect}
"""


@pytest.mark.soak
def test_people_label_by_the_rights_that_are_derived(
    factory: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(factory)
    factory.spec.write_text(PEOPLE, encoding="utf-8")
    calls = recorder.record(monkeypatch)
    assert edgepipe("apply", "pipeline.yaml") == 0
    with rules(factory.cloud.context):
        assert edgepipe("submit", "pipeline.yaml") == 0
        sheets = Sheets(factory.cloud.store)
        label_all(sheets, until(lambda: next(sheets.open_sheets(), None)))
        ended = until(lambda: executions(factory, "SUCCEEDED") + executions(factory, "FAILED"))
    assert ended[0]["status"] == "SUCCEEDED"
    needs, derived = calls.needs(), derive(factory)
    assert refused(needs, derived) == []
    assert refused(needs, granted(factory)) == []
    unused = idle(needs, derived)["label", ROLE]
    assert unused == {"sagemaker:StopLabelingJob"}, "no run is gone, and no job was late"


def label_all(sheets: Sheets, sheet: Sheet) -> None:
    """Label images as their folders say."""
    labels = {image.number: image.uri.split("/")[-2] for image in sheet.images}
    answers = {number: Answer(label=label, by="me", at=0.0) for number, label in labels.items()}
    sheets.answer(sheet.arn, answers)


def executions(made: Platform, status: str) -> list[dict[str, Any]]:
    machine_arn = f"{MACHINES}:edgepipe-cookie-defects"
    reply = made.client("stepfunctions").list_executions(stateMachineArn=machine_arn, statusFilter=status)
    return list(reply["executions"])


def until(done: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    return found


def derive(made: Platform) -> Granted:
    """Return what `edgepipe policy` derives, with values for its markers."""
    compiled = compile_text(made.spec.read_text(encoding="utf-8"), path="pipeline.yaml")
    found = policies.derive(machine.parse(compiled.definition)).as_json()["handlers"]
    logs = {f"{name}_log_group_arn": f"log-of-{name}" for name in found}
    markers = made.usecase.markers() | logs | {"jobs_table_arn": TABLE}
    return {
        (name, role): recorder.fill(policy["usecase" if role else "own"], markers)
        for name, policy in found.items()
        for role in ("", ROLE)
    }


def granted(made: Platform) -> Granted:
    """Return what the stacks grant, the same to all pipelines of a use case."""
    from stacks import data_account, permissions
    from stacks.places import Place

    home, case = Place(account=ORCHESTRATOR, region=REGION), made.usecase
    names = (*platform.kind_functions(), *platform.SERVICE_FUNCTIONS)
    found = {(name, ""): permissions.function_statements(name, home, [case]) for name in names}
    found |= {(name, ROLE): permissions.usecase_statements(case) for name in names}
    found[recorder.PERSON, f"{ROLE}-operator"] = permissions.operator_statements(case)
    found[recorder.PERSON, f"{ROLE}-reader"] = data_account.reader_statements(case)
    return {caller: {"Statement": statements} for caller, statements in found.items()}


def refused(needs: Iterable[Need], granted: Granted) -> list[Need]:
    """Return what was called though no policy allows it, of those whose policies these are."""
    return [
        need
        for need in sorted(needs)
        if (need.caller, need.role) in granted
        and not recorder.allows(granted[need.caller, need.role], need.action, need.resource)
    ]


def idle(needs: Iterable[Need], granted: Granted) -> dict[tuple[str, str], set[str]]:
    """Return the actions that are allowed and that nobody ever took."""
    used = {caller: set(BY_LAMBDA) for caller in granted}
    for need in needs:
        if (need.caller, need.role) in used:
            used[need.caller, need.role].update({need.action, BESIDE.get(need.action, "")})
    left = {caller: recorder.actions(policy) - used[caller] for caller, policy in granted.items()}
    return {caller: actions for caller, actions in left.items() if actions}


def run_without_help(made: Platform, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without events and sweeps: the handlers are called again and again, as after a crash of each.

    The first job of each kind has missed its deadline by the time its handler looks at it.
    """
    retry = "    retry: {attempts: 3, interval: 1s, on: [JobFailedError, RolloutError]}\n"
    text = made.spec.read_text(encoding="utf-8")
    for kind in WAITING:
        text = text.replace(f"  {kind}:\n", f"  {kind}:\n{retry}")
    made.spec.write_text(text, encoding="utf-8")
    assert edgepipe("apply", "pipeline.yaml") == 0
    late = Lateness(made, calls)
    monkeypatch.setattr(callback, "time", SimpleNamespace(time=late.now))
    assert edgepipe("submit", "pipeline.yaml", "--param", "epochs=6") == 0
    states, machine_arn = made.client("stepfunctions"), f"{MACHINES}:edgepipe-cookie-defects"
    arn = states.list_executions(stateMachineArn=machine_arn, statusFilter="RUNNING")["executions"][0][
        "executionArn"
    ]
    give_up = time.monotonic() + PATIENCE
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < give_up, "the run did not end"
        for payload in waiting(states, arn):
            call(made, payload["kind"], payload)
        time.sleep(0.2)
    assert found["status"] == "SUCCEEDED", found


def call(made: Platform, name: str, payload: Mapping[str, Any]) -> None:
    function = platform.function_name(name)
    made.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))


class Lateness:
    """The handlers' clock: for a kind that has not yet failed, ages pass between two looks at it."""

    def __init__(self, made: Platform, calls: Calls) -> None:
        self._clock, self._calls, self._looks = made.cloud.context.clock, calls, itertools.count()

    def now(self) -> float:
        kind = recorder.here()
        punctual = kind not in WAITING or self._calls.made_by(kind, "SendTaskFailure")
        return self._clock.now() + (0 if punctual else AGES * next(self._looks))


def waiting(states: Any, arn: str) -> list[dict[str, Any]]:
    """Return the latest event of each handler that was given a token; what has ended since is in them too."""
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    found = {}
    for event in (event for page in pages for event in page["events"] if event["type"] == "TaskScheduled"):
        payload = json.loads(event["taskScheduledEventDetails"]["parameters"])["Payload"]
        if "token" in payload:
            found[payload["step"], payload.get("target")] = payload
    return list(found.values())


@pytest.mark.parametrize("wrong", ["external id", "principal", "role"])
def test_a_role_that_does_not_let_handlers_in_is_named_by_the_run(
    factory: Platform, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    case, iam = factory.usecase, factory.client("iam", USECASE)
    name = case.role_arn.rsplit("/", 1)[1]
    if wrong == "role":
        iam.delete_role(RoleName=name)
    else:
        home = f"arn:aws:iam::{ORCHESTRATOR}:"
        principal = {
            "AWS": f"{home}root" if wrong == "external id" else f"{home}role/edgepipe-function-train"
        }
        external_id = "another" if wrong == "external id" else case.external_id
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust(principal, external_id)))
    assert edgepipe("apply", "pipeline.yaml") == 0
    assert edgepipe("submit", "pipeline.yaml", "--watch") == 1
    said = capsys.readouterr().err
    assert "TaskInputError: cannot assume arn:aws:iam::210987654321:role/edgepipe-cookie-factory" in said
    assert "let its trust policy name this handler's role and the ExternalId" in said


def test_a_person_is_let_in_with_the_external_id_only(
    factory: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    file = factory.folder / "usecases" / "cookie-factory.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("edgepipe-4711", "edgepipe-4712"))
    assert edgepipe("apply", "pipeline.yaml") == 5
    assert "edgepipe-cookie-factory-operator does not let us in" in capsys.readouterr().err
