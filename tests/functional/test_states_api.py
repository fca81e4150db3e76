"""Every operation of the Step Functions API through `local serve`: carried out, or refused by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from local_cloud.engine.refusals import REFUSED
from tests.functional.served import HERE, Served, client, serving
from tests.unit.local_cloud.engine.machines import machine, pass_

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = f"arn:aws:iam::{HERE}:role/machine"
PLAIN = {"AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}
"""Without it boto3 and the AWS CLI send these two operations to a host `sync-...`, as AWS has one."""
MODEL = botocore.session.get_session().get_service_model("stepfunctions")
BARE = {"ValidationException", "MissingRequiredParameter", "ResourceNotFound", "StateMachineTypeNotSupported"}
"""What a request without any field is answered with."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("states") / "state") as place:
        yield place


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)


def text(output: object) -> str:
    return json.dumps(machine({"S": pass_(Output=output)}))


def refused(call: Any, **fields: Any) -> str:
    """Return the code of the error that a call ends with."""
    with pytest.raises(ClientError) as error:
        call(**fields)
    return str(error.value.response["Error"]["Code"])


def requests(name: str, states: Any) -> dict[str, dict[str, Any]]:
    """Make a machine with a version, an alias and an execution; return a request for each operation."""
    arn = states.create_state_machine(name=name, definition=text(1), roleArn=ROLE)["stateMachineArn"]
    version = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=routes)
    of = {"stateMachineArn": arn}
    run = {"executionArn": states.start_execution(**of)["executionArn"]}
    named = {"stateMachineAliasArn": alias["stateMachineAliasArn"]}
    token = {"taskToken": "AQAA" * 10}
    return {
        "CreateStateMachine": {"name": name, "definition": text(1), "roleArn": ROLE},
        "CreateStateMachineAlias": {"name": "live", "routingConfiguration": routes},
        "DescribeExecution": run,
        "DescribeStateMachine": of,
        "DescribeStateMachineAlias": named,
        "DescribeStateMachineForExecution": run,
        "GetExecutionHistory": run,
        "ListExecutions": of,
        "ListStateMachineAliases": of,
        "ListStateMachineVersions": of,
        "ListStateMachines": {},
        "PublishStateMachineVersion": of,
        "RedriveExecution": run,
        "SendTaskFailure": token,
        "SendTaskHeartbeat": token,
        "SendTaskSuccess": {**token, "output": "{}"},
        "StartExecution": of,
        "StopExecution": run,
        "TagResource": {"resourceArn": arn, "tags": [{"key": "team", "value": "vision"}]},
        "ListTagsForResource": {"resourceArn": arn},
        "UntagResource": {"resourceArn": arn, "tagKeys": ["team"]},
        "UpdateStateMachine": {**of, "definition": text(2)},
        "UpdateStateMachineAlias": {**named, "routingConfiguration": routes},
        "ValidateStateMachineDefinition": {"definition": text(1)},
        "DeleteStateMachineAlias": named,
        "DeleteStateMachineVersion": {"stateMachineVersionArn": version},
        "DeleteStateMachine": of,
    }


ENDS = {
    "RedriveExecution": "ExecutionNotRedrivable",
    "SendTaskFailure": "InvalidToken",
    "SendTaskHeartbeat": "InvalidToken",
    "SendTaskSuccess": "InvalidToken",
}
"""The errors that belong to the requests above; the others are carried out."""


@pytest.mark.usefixtures("plain")
def test_every_operation_is_carried_out_or_refused_by_its_name(served: Served) -> None:
    states, refusals = (
        client(served, "stepfunctions"),
        {xform_name(name): name for name in MODEL.operation_names},
    )
    asked = requests("every", states)
    assert asked.keys() | {refusals[name] for name in REFUSED} == set(MODEL.operation_names)
    for name, fields in asked.items():
        call = getattr(states, xform_name(name))
        if name in ENDS:
            assert refused(call, **fields) == ENDS[name], name
        else:
            assert call(**fields)["ResponseMetadata"]["HTTPStatusCode"] == 200, name
    for name in REFUSED:
        with pytest.raises(ClientError, match=f"{refusals[name]}: the local engine runs"):
            getattr(states, name)()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", sorted(MODEL.operation_names))
def test_a_request_without_fields_is_the_callers_mistake(served: Served, name: str) -> None:
    call = getattr(client(served, "stepfunctions"), xform_name(name))
    if name == "ListStateMachines":
        assert call()["ResponseMetadata"]["HTTPStatusCode"] == 200
    else:
        assert refused(call) in BARE


def test_a_version_is_published_of_the_revision_that_is_meant(served: Served) -> None:
    states = client(served, "stepfunctions")
    arn = states.create_state_machine(name="revised", definition=text(1), roleArn=ROLE)["stateMachineArn"]
    assert "revisionId" not in states.describe_state_machine(stateMachineArn=arn)
    publish = states.publish_state_machine_version
    first = publish(stateMachineArn=arn, revisionId="INITIAL")["stateMachineVersionArn"]
    second = states.update_state_machine(stateMachineArn=arn, definition=text(2))["revisionId"]
    assert refused(publish, stateMachineArn=arn, revisionId="INITIAL") == "ConflictException"
    same = states.update_state_machine(stateMachineArn=arn, definition=text(2), roleArn=ROLE)
    assert same["revisionId"] == second == states.describe_state_machine(stateMachineArn=arn)["revisionId"]
    made = publish(stateMachineArn=arn, revisionId=second)["stateMachineVersionArn"]
    again = states.update_state_machine(stateMachineArn=arn, definition=text(2), publish=True)
    assert (made, again["stateMachineVersionArn"]) == (f"{arn}:2", f"{arn}:2")
    back = states.update_state_machine(stateMachineArn=arn, definition=text(1), publish=True)
    assert back["stateMachineVersionArn"] == f"{arn}:3", "what is changed back is a revision of its own"
    assert refused(publish, stateMachineArn=arn, revisionId=second) == "ConflictException"
    assert states.describe_state_machine(stateMachineArn=made)["revisionId"] == second
    assert "revisionId" not in states.describe_state_machine(stateMachineArn=first)
    assert refused(states.update_state_machine, stateMachineArn=first, definition=text(3)) == "InvalidArn"


def test_a_version_is_deleted_once_no_alias_leads_to_it(served: Served) -> None:
    states = client(served, "stepfunctions")
    arn = states.create_state_machine(name="deleted", definition=text(0), roleArn=ROLE)["stateMachineArn"]
    one, two = (
        states.update_state_machine(stateMachineArn=arn, definition=text(number), publish=True)[
            "stateMachineVersionArn"
        ]
        for number in (1, 2)
    )
    routes = [{"stateMachineVersionArn": one, "weight": 10}, {"stateMachineVersionArn": two, "weight": 90}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=routes)[
        "stateMachineAliasArn"
    ]
    delete = states.delete_state_machine_version
    with pytest.raises(ClientError, match=r"must not be referenced by an alias.*\[live\]"):
        delete(stateMachineVersionArn=two)
    moved = [{"stateMachineVersionArn": one, "weight": 100}]
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=moved)
    for _ in range(2):
        delete(stateMachineVersionArn=two)
    listed = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [each["stateMachineVersionArn"] for each in listed] == [one]
    assert refused(states.start_execution, stateMachineArn=two) == "StateMachineDoesNotExist"
    gone = [{"stateMachineVersionArn": two, "weight": 100}]
    assert (
        refused(states.update_state_machine_alias, stateMachineAliasArn=alias, routingConfiguration=gone)
        == refused(states.create_state_machine_alias, name="other", routingConfiguration=gone)
        == "StateMachineDoesNotExist"
    )
    create = states.create_state_machine_alias
    assert refused(create, name="live", routingConfiguration=moved, description="?") == "ConflictException"
    assert create(name="live", routingConfiguration=moved)["stateMachineAliasArn"] == alias
    published = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    assert published == f"{arn}:3", "numbers are not used again"
    assert refused(delete, stateMachineVersionArn=arn) == "InvalidArn"


def test_tags_are_those_of_machines_only(served: Served) -> None:
    states, unknown = client(served, "stepfunctions"), f"arn:aws:states:us-east-1:{HERE}:stateMachine:unknown"
    tags = [{"key": "team", "value": "vision"}]
    assert refused(states.tag_resource, resourceArn=unknown, tags=tags) == "ResourceNotFound"
    assert refused(states.untag_resource, resourceArn=unknown, tagKeys=["team"]) == "ResourceNotFound"
    arn = states.create_state_machine(name="tagged", definition=text(0), roleArn=ROLE)["stateMachineArn"]
    states.tag_resource(resourceArn=arn, tags=tags)
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    version = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    assert refused(states.tag_resource, resourceArn=version, tags=tags) == "ResourceNotFound"


def test_the_aws_cli_publishes_by_revision_and_finds_it_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as served:
        made = served.aws(
            *("stepfunctions", "create-state-machine", "--name", "kept", "--publish"),
            *("--definition", text(1), "--role-arn", ROLE),
        )
        arn = made["stateMachineArn"]
        words = ("stepfunctions", "update-state-machine", "--state-machine-arn", arn, "--definition", text(2))
        revision = served.aws(*words)["revisionId"]
    with serving(state) as served:
        publish = ("stepfunctions", "publish-state-machine-version", "--state-machine-arn", arn)
        late = served.try_aws(*publish, "--revision-id", "INITIAL")
        assert f"The current State Machine revision is {revision}." in late.stderr
        published = served.aws(*publish, "--revision-id", revision)["stateMachineVersionArn"]
        delete = ("stepfunctions", "delete-state-machine-version", "--state-machine-version-arn")
        served.aws(*delete, made["stateMachineVersionArn"])
        listed = served.aws("stepfunctions", "list-state-machine-versions", "--state-machine-arn", arn)
        assert [each["stateMachineVersionArn"] for each in listed["stateMachineVersions"]] == [published]
        state_text = json.dumps({"Type": "Pass", "End": True})
        tried = served.try_aws("stepfunctions", "test-state", "--definition", state_text, **PLAIN)
        assert "TestState: the local engine runs whole state machines only" in tried.stderr
