"""durable: what a call changed is there in the next life, also after kill -9 right after the reply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local_cloud.durable.memory import ForeignStateError, check_owner
from local_cloud.store import FILE_NAME, Store
from tests.functional.durable.lives import live

if TYPE_CHECKING:
    from pathlib import Path

_ZIP = """
import io, zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as packed:
    packed.writestr("index.py", "def handler(event, context): return 1")
"""
SERVICES = {
    "iam": (
        """at("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")""",
        """at("iam").get_role(RoleName="r")["Role"]["RoleName"]""",
        "r",
    ),
    "sqs": (
        """
url = at("sqs").create_queue(QueueName="q")["QueueUrl"]
at("sqs").send_message(QueueUrl=url, MessageBody="hello")
""",
        """[one["Body"] for one in at("sqs").receive_message(
            QueueUrl=at("sqs").get_queue_url(QueueName="q")["QueueUrl"])["Messages"]]""",
        ["hello"],
    ),
    "sns": (
        """at("sns").create_topic(Name="t")""",
        """[one["TopicArn"].rsplit(":", 1)[1] for one in at("sns").list_topics()["Topics"]]""",
        ["t"],
    ),
    "iot": (
        """at("iot", "210987654321").create_thing(thingName="press-1")""",
        """[one["thingName"] for one in at("iot", "210987654321").list_things()["things"]]""",
        ["press-1"],
    ),
    "secretsmanager": (
        """at("secretsmanager").create_secret(Name="s", SecretString="x")""",
        """at("secretsmanager").get_secret_value(SecretId="s")["SecretString"]""",
        "x",
    ),
    "ssm": (
        """at("ssm").put_parameter(Name="/p", Value="1", Type="String")""",
        """at("ssm").get_parameter(Name="/p")["Parameter"]["Value"]""",
        "1",
    ),
    "logs": (
        """at("logs").create_log_group(logGroupName="g")""",
        """[one["logGroupName"] for one in at("logs").describe_log_groups()["logGroups"]]""",
        ["g"],
    ),
    "events": (
        """at("events").put_rule(Name="rule", ScheduleExpression="rate(1 minute)")""",
        """[one["Name"] for one in at("events").list_rules()["Rules"]]""",
        ["rule"],
    ),
    "ecr": (
        """at("ecr").create_repository(repositoryName="images")""",
        """[one["repositoryName"] for one in at("ecr").describe_repositories()["repositories"]]""",
        ["images"],
    ),
    "sagemaker": (
        """at("sagemaker").create_model(ModelName="m", PrimaryContainer={"Image": "i"},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/r-long-enough")""",
        """[one["ModelName"] for one in at("sagemaker").list_models()["Models"]]""",
        ["m"],
    ),
    "lambda": (
        f"""{_ZIP}
role = at("iam").create_role(RoleName="f", AssumeRolePolicyDocument="{{}}")["Role"]["Arn"]
code = {{"ZipFile": buffer.getvalue()}}
at("lambda").create_function(FunctionName="f", Role=role, Runtime="python3.13", Handler="i.h", Code=code)
at("lambda").publish_version(FunctionName="f")
at("lambda").create_alias(FunctionName="f", Name="live", FunctionVersion="1")
""",
        """[at("lambda").get_function(FunctionName="f", Qualifier="live")["Configuration"]["Version"],
         at("lambda").get_function_configuration(FunctionName="f")["Handler"]]""",
        ["1", "i.h"],
    ),
}


def test_the_services_are_there_after_a_kill(tmp_path: Path) -> None:
    live(tmp_path, "\n".join(change for change, _, _ in SERVICES.values()) + "\ndie()")
    asked = ", ".join(f'"{name}": {question}' for name, (_, question, _) in SERVICES.items())
    told = json.loads(live(tmp_path, f"print(json.dumps({{{asked}}}))"))
    assert told == {name: answer for name, (_, _, answer) in SERVICES.items()}


def test_objects_are_there_after_a_kill(tmp_path: Path) -> None:
    change = """
s3 = at("s3", "210987654321")
s3.create_bucket(Bucket="data")
s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": [{"Key": "team", "Value": "press"}]})
for body in (b"old", b"new"):
    s3.put_object(Bucket="data", Key="a/ü", Body=body, Metadata={"who": "me"}, Tagging="x=1")
for key in ("b", "c", "d"):
    s3.put_object(Bucket="data", Key=key, Body=b"new")
s3.copy_object(Bucket="data", Key="copy", CopySource="data/b")
s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "c"}]})
s3.delete_object(Bucket="data", Key="d")
s3.create_bucket(Bucket="gone")
s3.put_object(Bucket="gone", Key="x", Body=b"only here")
s3.delete_object(Bucket="gone", Key="x")
s3.delete_bucket(Bucket="gone")
die()
"""
    ask = """
s3 = at("s3", "210987654321")
versions = s3.list_object_versions(Bucket="data")
found = s3.get_object(Bucket="data", Key="a/ü")
print(json.dumps({
    "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"]],
    "tags": s3.get_bucket_tagging(Bucket="data")["TagSet"],
    "keys": [one["Key"] for one in s3.list_objects_v2(Bucket="data")["Contents"]],
    "markers": [one["Key"] for one in versions["DeleteMarkers"]],
    "bodies": sorted(
        s3.get_object(Bucket="data", Key="a/ü", VersionId=one["VersionId"])["Body"].read().decode()
        for one in versions["Versions"] if one["Key"] == "a/ü"
    ),
    "found": [found["Body"].read().decode(), found["Metadata"], found["TagCount"]],
    "part": s3.get_object(Bucket="data", Key="copy", Range="bytes=1-2")["Body"].read().decode(),
    "etags": len({s3.head_object(Bucket="data", Key=key)["ETag"] for key in ("copy", "b")}),
}))
"""
    live(tmp_path, change)
    assert json.loads(live(tmp_path, ask)) == {
        "buckets": ["data"],
        "tags": [{"Key": "team", "Value": "press"}],
        "keys": ["a/ü", "b", "copy"],
        "markers": ["c", "d"],
        "bodies": ["new", "old"],
        "found": ["new", {"who": "me"}, 1],
        "part": "ew",
        "etags": 1,
    }
    bodies = [path.read_bytes() for path in (tmp_path / "objects").glob("*/*")]
    assert sorted(bodies) == [b"new", b"old"]  # equal bodies once, and none that nothing names


def test_items_are_there_after_a_kill(tmp_path: Path) -> None:
    change = """
from botocore.exceptions import ClientError
db = at("dynamodb")
attributes = [{"AttributeName": "h", "AttributeType": "N"}, {"AttributeName": "r", "AttributeType": "S"}]
schema = dict(AttributeDefinitions=attributes,
    KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}])
db.create_table(TableName="two", BillingMode="PAY_PER_REQUEST", **schema)
one = dict(AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}])
for name in ("jobs", "gone"):
    db.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **one)
    db.put_item(TableName=name, Item={"k": {"S": "a"}, "status": {"S": "PENDING"}, "bytes": {"B": b"\\x00"}})
db.delete_table(TableName="gone")
db.batch_write_item(RequestItems={"two": [
    {"PutRequest": {"Item": {"h": {"N": "1"}, "r": {"S": name}}}} for name in ("x", "y", "z")]})
db.delete_item(TableName="two", Key={"h": {"N": "1"}, "r": {"S": "y"}})
db.transact_write_items(TransactItems=[
    {"Put": {"TableName": "jobs", "Item": {"k": {"S": "b"}}}},
    {"Update": {"TableName": "two", "Key": {"h": {"N": "1"}, "r": {"S": "z"}},
        "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "set"}}}}])
def done():
    db.update_item(TableName="jobs", Key={"k": {"S": "a"}}, UpdateExpression="SET #s = :done",
        ConditionExpression="#s = :pending", ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":done": {"S": "DONE"}, ":pending": {"S": "PENDING"}})
done()
die()
"""
    ask = (
        change.partition("schema =")[0]
        + "def done():"
        + change.partition("def done():")[2].replace("done()\ndie()\n", "")
        + """
try:
    done()
    again = "done twice"
except ClientError as error:
    again = error.response["Error"]["Code"]
print(json.dumps({
    "again": again,
    "tables": db.list_tables()["TableNames"],
    "jobs": sorted(item["k"]["S"] for item in db.scan(TableName="jobs")["Items"]),
    "bytes": list(db.get_item(TableName="jobs", Key={"k": {"S": "a"}})["Item"]["bytes"]["B"]),
    "two": sorted((one["r"]["S"], one.get("v", {}).get("S")) for one in db.scan(TableName="two")["Items"]),
}))
"""
    )
    live(tmp_path, change)
    assert json.loads(live(tmp_path, ask)) == {
        "again": "ConditionalCheckFailedException",
        "tables": ["two", "jobs"],
        "jobs": ["a", "b"],
        "bytes": [0],
        "two": [["x", None], ["z", "set"]],
    }


def test_what_cannot_be_kept_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from local_cloud.cloud import local_cloud

    with local_cloud(tmp_path) as cloud:
        cloud.context.client("kms", "123456789012").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    assert "the state of kms is not kept" in capfd.readouterr().err


def test_the_state_of_another_moto_is_refused(tmp_path: Path) -> None:
    from local_cloud.cloud import local_cloud

    store = Store(tmp_path)
    store.put("moto version", "all", {"moto": "1.0", "format": 0})
    store.close()
    with pytest.raises(ForeignStateError, match=r"moto 1\.0.*remove the folder"), local_cloud(tmp_path):
        pass


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    path = tmp_path / FILE_NAME
    check_owner(path)
    path.chmod(0o622)
    with pytest.raises(ForeignStateError, match="chmod go-w"):
        check_owner(path)
