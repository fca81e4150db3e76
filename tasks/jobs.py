"""The jobs table: one DynamoDB item for each long job, changed only by conditional writes.

Hash key `job_key`; the sparse index `open-jobs` (hash `open`, range `job_key`) holds what is not SENT yet.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tasks import aws
from tasks.event import parse_run, parse_usecase
from tasks.fields import Fields
from tasks.protocol import Answer, Failure, Job, Status, Success

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tasks.aws import Client

CLAIM_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
"""What recording a job takes, and following it by its key."""
SETTLE_ACTIONS = ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem")
"""What finding jobs that others have recorded takes, and answering for them."""

TABLE_VARIABLE = "EDGEPIPE_JOBS_TABLE"
DEFAULT_TABLE = "edgepipe-jobs"
INDEX = "open-jobs"
_REFUSED = ("ConditionalCheckFailedException",)


class Jobs(Protocol):
    """Where job records are kept. Every write says whether it took; a write that did not changed nothing."""

    def read(self, job_key: str) -> Job | None:
        """Return the record as it stands now."""

    def record(self, job: Job) -> bool:
        """Write a new record, if there is none of its key."""

    def take_over(self, job: Job, before: Job) -> bool:
        """Give the record `job`'s token, times and status, if token and status are still `before`'s."""

    def mark_done(self, job: Job, answer: Answer) -> bool:
        """PENDING → DONE with the answer, if the token is still `job`'s."""

    def mark_sent(self, job: Job) -> bool:
        """DONE → SENT, if the token is still `job`'s."""

    def mark_stale(self, job: Job, now: int) -> bool:
        """Note when the token was first seen dead, if it is still `job`'s and was not noted before."""

    def mark_stopping(self, job: Job) -> bool:
        """Note that the job is being stopped, if the token is still `job`'s."""

    def open_jobs(self, *, run_arn: str | None = None, name: str | None = None) -> Iterator[Job]:
        """Yield the records that are not SENT: all of them, one run's, or those of one job name."""


@dataclass(frozen=True, kw_only=True)
class JobTable:
    """Jobs in DynamoDB."""

    dynamodb: Client
    table: str

    def read(self, job_key: str) -> Job | None:
        """Return the record as it stands now."""
        reply = self.dynamodb.get_item(TableName=self.table, Key=_key(job_key), ConsistentRead=True)
        return decode(reply["Item"]) if reply.get("Item") else None

    def record(self, job: Job) -> bool:
        """Write a new record, if there is none of its key."""
        request = {
            "TableName": self.table,
            "Item": encode(job),
            "ConditionExpression": "attribute_not_exists(job_key)",
        }
        return aws.ask(self.dynamodb.put_item, request, unless=_REFUSED) is not None

    def take_over(self, job: Job, before: Job) -> bool:
        """Give the record `job`'s token, times and status, if token and status are still `before`'s."""
        item = encode(job)
        return self._update(
            before,
            "SET #status = :to, #token = :new, claimed = :claimed, deadline = :deadline, #open = :open "
            "REMOVE stale_at",
            before.status,
            {
                ":to": {"S": job.status},
                ":new": {"S": job.token},
                ":claimed": item["claimed"],
                ":deadline": item["deadline"],
                ":open": {"S": "y"},
            },
        )

    def mark_done(self, job: Job, answer: Answer) -> bool:
        """PENDING → DONE with the answer, if the token is still `job`'s."""
        values = {":to": {"S": Status.DONE}, ":answer": {"S": encode_answer(answer)}}
        return self._update(job, "SET #status = :to, answer = :answer", Status.PENDING, values)

    def mark_sent(self, job: Job) -> bool:
        """DONE → SENT, if the token is still `job`'s."""
        return self._update(job, "SET #status = :to REMOVE #open", Status.DONE, {":to": {"S": Status.SENT}})

    def mark_stale(self, job: Job, now: int) -> bool:
        """Note when the token was first seen dead, if it is still `job`'s and was not noted before."""
        change = "SET stale_at = if_not_exists(stale_at, :now)"
        return self._update(job, change, Status.PENDING, {":now": {"N": str(now)}})

    def mark_stopping(self, job: Job) -> bool:
        """Note that the job is being stopped, if the token is still `job`'s."""
        return self._update(job, "SET stopping = :yes", Status.PENDING, {":yes": {"S": "y"}})

    def open_jobs(self, *, run_arn: str | None = None, name: str | None = None) -> Iterator[Job]:
        """Yield the records that are not SENT: all of them, one run's, or those of one job name."""
        request = _open_query(self.table, {"run_arn": run_arn, "name": name})
        while True:
            reply = self.dynamodb.query(**request)
            yield from map(decode, reply["Items"])
            if not reply.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _update(self, job: Job, change: str, status: Status, values: Mapping[str, Any]) -> bool:
        names = {"#status": "status", "#token": "token", **({"#open": "open"} if "#open" in change else {})}
        request = {
            "TableName": self.table,
            "Key": _key(job.job_key),
            "UpdateExpression": change,
            "ConditionExpression": "#status = :from AND #token = :token",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":from": {"S": status}, ":token": {"S": job.token}, **values},
        }
        return aws.ask(self.dynamodb.update_item, request, unless=_REFUSED) is not None


def job_table() -> JobTable:
    """Return the orchestrator's table, named by EDGEPIPE_JOBS_TABLE."""
    return JobTable(dynamodb=aws.client("dynamodb"), table=os.environ.get(TABLE_VARIABLE, DEFAULT_TABLE))


def encode(job: Job) -> dict[str, Any]:
    """Return the record as a DynamoDB item."""
    texts = {
        "job_key": job.job_key,
        "kind": job.kind,
        "type": job.type,
        "name": job.name,
        "run_arn": job.run.arn,
        "run": json.dumps(job.run.as_json()),
        "step": job.step,
        "target": job.target,
        "token": job.token,
        "usecase": json.dumps(job.usecase.as_json()),
        "context": json.dumps(job.context),
        "status": job.status,
        "answer": None if job.answer is None else encode_answer(job.answer),
        "open": None if job.status is Status.SENT else "y",
        "stopping": "y" if job.stopping else None,
    }
    numbers = {
        "attempt": job.attempt,
        "claimed": job.claimed,
        "deadline": job.deadline,
        "stale_at": job.stale_at,
    }
    item = {key: {"S": str(value)} for key, value in texts.items() if value is not None}
    return item | {key: {"N": str(value)} for key, value in numbers.items() if value is not None}


def decode(item: Mapping[str, Any]) -> Job:
    """Return a DynamoDB item as a record."""
    texts = {key: value["S"] for key, value in item.items() if "S" in value}
    numbers = {key: int(value["N"]) for key, value in item.items() if "N" in value}
    return Job(
        **{key: texts[key] for key in ("job_key", "kind", "type", "name", "step", "token")},
        run=parse_run(Fields(json.loads(texts["run"]), "job.run")),
        usecase=parse_usecase(Fields(json.loads(texts["usecase"]), "job.usecase")),
        context=json.loads(texts["context"]),
        target=texts.get("target"),
        status=Status(texts["status"]),
        answer=decode_answer(texts["answer"]) if "answer" in texts else None,
        attempt=numbers["attempt"],
        claimed=numbers["claimed"],
        deadline=numbers["deadline"],
        stale_at=numbers.get("stale_at"),
        stopping="stopping" in texts,
    )


def encode_answer(answer: Answer) -> str:
    """Return an answer as JSON text."""
    if isinstance(answer, Success):
        return json.dumps({"output": answer.output})
    return json.dumps({"error": answer.error, "cause": answer.cause})


def decode_answer(text: str) -> Answer:
    """Return the answer that `encode_answer` wrote."""
    value = json.loads(text)
    return Success(output=value["output"]) if "output" in value else Failure(**value)


def _key(job_key: str) -> dict[str, Any]:
    return {"job_key": {"S": job_key}}


def _open_query(table: str, filters: Mapping[str, str | None]) -> dict[str, Any]:
    wanted = {key: value for key, value in filters.items() if value is not None}
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": "#open = :open",
        "ExpressionAttributeNames": {"#open": "open", **{f"#{key}": key for key in wanted}},
        "ExpressionAttributeValues": {":open": {"S": "y"}, **{f":{k}": {"S": v} for k, v in wanted.items()}},
    }
    if wanted:
        request["FilterExpression"] = " AND ".join(f"#{key} = :{key}" for key in wanted)
    return request
