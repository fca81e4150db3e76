"""Adds statements and CORS rules to a bucket that others own too, and takes exactly these away again.

Statements are known by their Sid, CORS rules by their ID; whatever else a bucket's policy or CORS holds stays
as it is. S3 has no conditional write of either, so what was written is read again, and a change that somebody
else's write undid is made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .reply import Event, answered

Rule = Mapping[str, Any]

TRIES = 5
_POLICY_MISSING = "NoSuchBucketPolicy"
_CORS_MISSING = "NoSuchCORSConfiguration"


def merge(
    present: Sequence[Rule], wanted: Sequence[Rule], *, key: str, stale: Sequence[str] = ()
) -> list[Rule]:
    """Return the rules with those wanted in place of their namesakes, and those named in `stale` left out.

    Others keep their place and their content; merging twice is the same as merging once.
    """
    names = {str(rule[key]) for rule in wanted}
    gone = names | set(stale)
    return [*(rule for rule in present if rule.get(key) not in gone), *wanted]


def apply(s3: Any, event: Event) -> str:  # noqa: ANN401 - a boto3 client
    """Do what a CloudFormation event asks for and return the physical id."""
    properties = event["ResourceProperties"]
    bucket, owner = str(properties["Bucket"]), str(properties["Owner"])
    wanted = [] if event["RequestType"] == "Delete" else json.loads(properties["Statements"])
    cors = [] if event["RequestType"] == "Delete" else json.loads(properties["CorsRules"])
    stale = _names(event, "Statements", "Sid") - {each["Sid"] for each in wanted}
    stale_cors = _names(event, "CorsRules", "ID") - {each["ID"] for each in cors}
    _settle(lambda: _merge_policy(s3, bucket, wanted, sorted(stale)), f"the policy of {bucket}")
    _settle(lambda: _merge_cors(s3, bucket, cors, sorted(stale_cors)), f"the CORS rules of {bucket}")
    return f"{bucket}/{owner}"


def _names(event: Event, name: str, key: str) -> set[str]:
    """Return the names of all rules that this or the former version of the resource speaks of."""
    versions = (event["ResourceProperties"], event.get("OldResourceProperties") or {})
    return {str(rule[key]) for each in versions for rule in json.loads(each.get(name, "[]"))}


def _settle(merge_once: Callable[[], bool], what: str) -> None:
    """Merge until nothing is left to change: the last look shows that our rules and others' are there."""
    for _ in range(TRIES):
        if not merge_once():
            return
    message = f"{what}: somebody else changed it at each of {TRIES} tries; deploy again"
    raise RuntimeError(message)


def _merge_policy(s3: Any, bucket: str, wanted: Sequence[Rule], stale: Sequence[str]) -> bool:  # noqa: ANN401 - a boto3 client
    text = _read(lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"], _POLICY_MISSING)
    document: dict[str, Any] = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
    found: Any = document["Statement"]
    present: list[Rule] = found if isinstance(found, list) else [found]
    merged = merge(present, wanted, key="Sid", stale=stale)
    if _same(present, merged):
        return False
    if merged:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**document, "Statement": merged}))
    else:
        s3.delete_bucket_policy(Bucket=bucket)
    return True


def _merge_cors(s3: Any, bucket: str, wanted: Sequence[Rule], stale: Sequence[str]) -> bool:  # noqa: ANN401 - a boto3 client
    present = _read(lambda: s3.get_bucket_cors(Bucket=bucket)["CORSRules"], _CORS_MISSING) or []
    merged = merge(present, wanted, key="ID", stale=stale)
    if _same(present, merged):
        return False
    if merged:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": merged})
    else:
        s3.delete_bucket_cors(Bucket=bucket)
    return True


def _same(one: Sequence[Rule], other: Sequence[Rule]) -> bool:
    """Compare as sets: IAM may order a principal's ARNs anew."""
    return sorted(map(_canonical, one)) == sorted(map(_canonical, other))


def _canonical(rule: Rule) -> str:
    return json.dumps(_ordered(rule), sort_keys=True)


def _ordered(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, list):
        listed = sorted((_ordered(item) for item in value), key=json.dumps)
        return listed[0] if len(listed) == 1 else listed
    return value


def _read(ask: Callable[[], Any], missing: str) -> Any:  # noqa: ANN401 - a reply's part
    """Return what a call gives, or nothing for the error that says that there is none."""
    try:
        return ask()
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code != missing:
            raise
        return None


def _work(event: Event) -> str:
    import boto3

    return apply(boto3.client("s3"), event)


handler = answered(_work)
