"""The work of a labelling job: from its input manifest to a sheet for people, and from answers to its output.

Of what Ground Truth writes, only the output manifest is written, in the form of
https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html; the workers' single answers are not.
One worker's answer is taken as it is, so that every confidence is 1.0. An image that cannot be read, or that
nobody has labelled in time, gets a `failure-reason` instead of a label; a stopped job leaves the others as
they came.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from local_cloud.labelling.oracle import find_oracle
from local_cloud.labelling.sheets import Answer, Image, Sheet, Sheets
from local_cloud.sagemaker.errors import JobFailedError, RefusedRequestError, client_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from local_cloud.context import Context
    from local_cloud.sagemaker.labeling import LabelingRequest
    from local_cloud.sagemaker.storage import Storage

MAX_MANIFEST_BYTES = 64 * 1024**2
ORACLE = "oracle"
_RUN, _STEP = "edgepipe:run", "edgepipe:step"
_LEAST_LABELS = 2
EXPIRED = "nobody labelled the object before its task expired"


@dataclass(kw_only=True)
class Objects:
    """A job's objects: the lines of its input manifest, its labels, and why some cannot be labelled."""

    lines: list[Mapping[str, Any]] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    failures: dict[int, str] = field(default_factory=dict)


class LabelingWork:
    """One labelling job's sheet and answers, from the request to the output manifest."""

    def __init__(
        self,
        request: LabelingRequest,
        *,
        arn: str,
        folder: Path,
        context: Context,
        log: Path,
        storage: Callable[[Callable[[], bool]], Storage],
    ) -> None:
        self.max_seconds = request.max_seconds
        self.log = log
        self._request = request
        self._arn = arn
        self._folder = folder / "images"
        if context.store is None:
            message = "this local cloud keeps nothing, so nobody could label; give it a state folder"
            raise RefusedRequestError(message)
        self._clock, self._store = context.clock, context.store
        self._sheets = Sheets(context.store)
        self._storage = storage
        self._objects = Objects()

    def prepare(self, interrupted: Callable[[], bool]) -> None:
        """Read manifest and images, let the oracle answer, put the sheet up; raises JobFailedError."""
        storage = self._storage(interrupted)
        labels = parse_categories(
            storage.open(self._request.categories_uri).read(MAX_MANIFEST_BYTES), self._request.categories_uri
        )
        lines = parse_manifest(
            storage.open(self._request.manifest_uri).read(MAX_MANIFEST_BYTES + 1), self._request
        )
        self._objects = Objects(lines=lines, labels=labels)
        images = self._fetch(storage, interrupted)
        if not images and not interrupted():
            message = f"none of the {len(lines)} objects can be read: {self._objects.failures[0]}"
            raise client_error(message)
        self._ask_oracle(images)
        self._sheets.put_up(self._sheet(images))
        self._say(f"{len(images)} of {len(lines)} objects wait for one of the labels {', '.join(labels)}")

    def counters(self) -> dict[str, int]:
        """Return LabelCounters as they stand."""
        failures = self._objects.failures
        answered = self._sheets.answers(self._arn).keys() - failures if failures else ()
        labelled = len(answered) if failures else self._sheets.count(self._arn)
        failed = len(failures)
        return {
            "TotalLabeled": labelled,
            "HumanLabeled": labelled,
            "MachineLabeled": 0,
            "FailedNonRetryableError": failed,
            "Unlabeled": len(self._objects.lines) - labelled - failed,
        }

    def wants_stop(self, labelled: int) -> bool:
        """Say whether one of the job's stopping conditions is met."""
        share = self._request.most_percent or math.inf
        total = len(self._objects.lines)
        return labelled >= (self._request.most_labeled or math.inf) or labelled * 100 >= share * total

    def consolidate(self, *, expired: bool) -> Mapping[str, object]:
        """Write the output manifest from the answers and return the description's fields.

        Images without an answer fail where their tasks have `expired`; raises JobFailedError if all have.
        """
        self._sheets.take_down(self._arn)  # from now on nothing is accepted that would not count
        answers = self._sheets.answers(self._arn)
        if expired:
            missing = set(range(len(self._objects.lines))) - set(answers) - set(self._objects.failures)
            self._objects.failures.update(dict.fromkeys(missing, EXPIRED))
        lines = [self._output_line(number, answers.get(number)) for number in range(len(self._objects.lines))]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        self._storage(lambda: False).put(self._request.result_uri, text.encode())
        self._say(f"{len(answers)} labels are in {self._request.result_uri}")
        if expired and not answers:
            raise client_error(EXPIRED)
        output = {"OutputDatasetS3Uri": self._request.result_uri}
        return {"LabelCounters": self.counters(), "LabelingJobOutput": output}

    def clean(self) -> None:
        """Close the sheet and remove the images; the answers stay, in case this process dies right now."""
        self._sheets.take_down(self._arn)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self, storage: Storage, interrupted: Callable[[], bool]) -> list[Image]:
        """Copy the images to where a person's page can show them; note what cannot be read."""
        self._folder.mkdir(parents=True, exist_ok=True)
        images = []
        for number, line in enumerate(self._objects.lines):
            if interrupted():
                break
            uri = str(line["source-ref"])
            file = f"{number:08}{PurePosixPath(uri).suffix.lower()}"
            try:
                with (self._folder / file).open("wb") as target:
                    shutil.copyfileobj(storage.open(uri), target)
            except JobFailedError as error:
                self._objects.failures[number] = str(error)
                self._say(str(error))
            else:
                images.append(Image(number=number, uri=uri, file=file))
        return images

    def _ask_oracle(self, images: list[Image]) -> None:
        oracle = find_oracle(self._store, self._request.tags.get(_RUN, ""))
        if oracle is None:
            return
        before, now = self._sheets.answers(self._arn), self._clock.now()
        told = {
            image.number: label
            for image in images
            if image.number not in before and (label := oracle.answer(image.uri))
        }
        known = {
            number: Answer(label=label, by=ORACLE, at=now)
            for number, label in told.items()
            if label in self._objects.labels
        }
        self._sheets.answer(self._arn, known)
        for label in sorted(set(told.values()) - set(self._objects.labels)):
            self._say(f"the oracle says {label!r}, which is none of the labels")
        self._say(f"the oracle knows {len(known)} of {len(images)} images; the others wait for a person")

    def _sheet(self, images: list[Image]) -> Sheet:
        return Sheet(
            arn=self._arn,
            job=self._request.name,
            title=self._request.title,
            labels=self._objects.labels,
            folder="/".join(self._folder.parts[-3:]),
            images=tuple(images),
            run=self._request.tags.get(_RUN, ""),
            step=self._request.tags.get(_STEP, ""),
        )

    def _output_line(self, number: int, answer: Answer | None) -> Mapping[str, Any]:
        line, attribute = self._objects.lines[number], self._request.attribute
        job = f"labeling-job/{self._request.name}"
        if number in self._objects.failures:
            failed = {"failure-reason": self._objects.failures[number], "job-name": job}
            return {**line, f"{attribute}-metadata": failed}
        if answer is None:
            return line
        metadata = {
            "class-name": answer.label,
            "confidence": 1.0,
            "type": "groundtruth/image-classification",
            "job-name": job,
            "human-annotated": "yes",
            "creation-date": answer.moment.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        }
        index = self._objects.labels.index(answer.label)
        return {**line, attribute: index, f"{attribute}-metadata": metadata}

    def _say(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")


def parse_categories(body: bytes, uri: str) -> tuple[str, ...]:
    """Return the labels of a label category configuration file; raises JobFailedError.

    Form: {"document-version": "2018-11-28", "labels": [{"label": "normal"}, {"label": "anomaly"}]}.
    """
    try:
        labels = tuple(each["label"] for each in json.loads(body)["labels"])
    except (ValueError, TypeError, KeyError) as error:
        message = f'{uri} is no label category configuration: it must hold "labels": [{{"label": ...}}, ...]'
        raise client_error(message) from error
    texts = all(isinstance(label, str) and label for label in labels)
    if not texts or len(set(labels)) != len(labels) or len(labels) < _LEAST_LABELS:
        message = f"{uri} must hold {_LEAST_LABELS} or more different labels; it has {list(labels)}"
        raise client_error(message)
    return labels


def parse_manifest(body: bytes, request: LabelingRequest) -> list[Mapping[str, Any]]:
    """Return the lines of an input manifest; raises JobFailedError naming the one that is wrong."""
    uri = request.manifest_uri
    if len(body) > MAX_MANIFEST_BYTES:
        message = f"{uri} is larger than the {MAX_MANIFEST_BYTES} bytes that are read here"
        raise client_error(message)
    lines = [
        _parse_line(uri, number, raw, request.attribute)
        for number, raw in enumerate(body.split(b"\n"), start=1)
        if raw.strip()
    ]
    if not lines:
        message = f"{uri} is empty: an input manifest has one JSON object a line"
        raise client_error(message)
    return lines


def _parse_line(uri: str, number: int, raw: bytes, attribute: str) -> Mapping[str, Any]:
    try:
        line = json.loads(raw)
    except ValueError as error:
        message = f"{uri} line {number} is not JSON: {error}"
        raise client_error(message) from error
    source = line.get("source-ref") if isinstance(line, dict) else None
    if not isinstance(source, str) or not source.startswith("s3://"):
        message = f"{uri} line {number} has no source-ref with the s3:// address of an image"
        raise client_error(message)
    if attribute in line or f"{attribute}-metadata" in line:
        message = (
            f"{uri} line {number} has the attribute {attribute!r} already: jobs that go on from others are "
            "not emulated; leave its labels out"
        )
        raise client_error(message)
    return dict(line)
