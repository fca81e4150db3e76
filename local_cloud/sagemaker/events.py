"""The events that SageMaker sends to EventBridge when a job ends.

Shapes: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html. AWS also
sends one for each change on the way; nothing here listens to those.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_cloud.sagemaker.records import JobRecord, Owner

_NOUNS = {"Labeling": "Ground Truth Labeling"}
_TIMES = ("CreationTime", "LastModifiedTime", "{}StartTime", "{}EndTime")


def build_event(record: JobRecord, owner: Owner) -> dict[str, Any]:
    """Return the state-change event of a job as it stands now; times in the detail are epoch milliseconds."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": f"SageMaker {_NOUNS.get(record.kind, record.kind)} Job State Change",
        "source": "aws.sagemaker",
        "account": owner.account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": owner.region,
        "resources": [record.arn],
        "detail": _detail(record),
    }


def _detail(record: JobRecord) -> dict[str, Any]:
    described = record.response_object
    if record.kind == "Labeling":  # which job it is, only the event's resources say
        return {"LabelingJobStatus": record.status}
    names = [
        f"{record.kind}JobName",
        f"{record.kind}JobArn",
        f"{record.kind}JobStatus",
        "SecondaryStatus",
        "FailureReason",
        "ExitMessage",
        "ModelArtifacts",
    ]
    detail = {name: described[name] for name in names if name in described}
    return {**detail, **_times(described, record.kind)}


def _times(described: Mapping[str, Any], kind: str) -> dict[str, int]:
    names = [name.format(kind) for name in _TIMES]
    return {
        name: int(described[name].replace(tzinfo=UTC).timestamp() * 1000)
        for name in names
        if name in described
    }
