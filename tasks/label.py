"""label: says which class each image of a dataset has, as a manifest in Ground Truth's output form.

`folders` takes the class from the folder an image lies in; `manifest` brings a manifest that exists already;
`ground-truth` lets people label (`tasks.ground_truth`), which the step waits for.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import IO, TYPE_CHECKING, Any

from tasks import aws, entry, ground_truth, manifest, s3
from tasks.errors import TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.ground_truth import ATTRIBUTE, IMAGE_SUFFIXES
from tasks.locations import Location, parse_folder, parse_location
from tasks.manifest import Problem, Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tasks.aws import Client
    from tasks.fields import Fields
    from tasks.s3 import Listed

ACTIONS = ground_truth.ACTIONS
"""What waiting for people takes; the other methods do with less of it (`aws`, `s3`)."""

METHODS = ("folders", "manifest")
_LABEL = re.compile(r"[^/\x00-\x1f\x7f]{1,64}")
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `labels` may be empty for `manifest`, which then takes the classes it finds."""

    method: str
    dataset: str
    labels: tuple[str, ...]
    attribute: str | None


@dataclass(kw_only=True)
class Tally:
    """What a listing held: images by label, other folders' names, and files that are no images."""

    images: Counter[str] = field(default_factory=Counter)
    folders: set[str] = field(default_factory=set)
    ignored: int = 0
    objects: int = 0


def run(event: StepEvent) -> Output:
    """Label the dataset and return the labels artifact; raises TaskInputError for what the dataset lacks."""
    if event.config.text("method") == ground_truth.METHOD:
        return ground_truth.run(event)
    config = parse_config(event.config)
    client = aws.client("s3", event.usecase, event.run)
    if config.method == "folders":
        return {"labels": label_folders(client, config, event.folder / "labels.jsonl").as_json()}
    return {"labels": adopt_manifest(client, config).as_json()}


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    method = config.text("method")
    if method not in METHODS:
        config.refuse("method", f"must be one of {', '.join((*METHODS, ground_truth.METHOD))}")
    labels = config.texts("labels", [] if method == "manifest" else None)
    if not all(_LABEL.fullmatch(label) and label not in (".", "..") for label in labels):
        config.refuse("labels", "must be names of 1 to 64 characters without slashes")
    return Config(
        method=method,
        dataset=config.text("dataset"),
        labels=labels,
        attribute=config.text("attribute") if config.has("attribute") else None,
    )


def label_folders(client: Client, config: Config, target: Location) -> Artifact:
    """Write a manifest of the images under dataset/<label>/ and return it."""
    root = parse_folder(config.dataset, what="the dataset")
    tally = Tally()
    with s3.draft_folder() as folder:
        draft = folder / "labels.jsonl"
        with draft.open("wb") as lines:
            _write_lines(lines, s3.list_objects(client, root), root, config.labels, tally)
        check_tally(tally, root, config.labels)
        digest = s3.write_file(client, target, draft, content_type="application/jsonlines")
    facts = {
        "labels": list(config.labels),
        "count": tally.images.total(),
        "per_class": {label: tally.images[label] for label in config.labels},
        "attribute": ATTRIBUTE,
        "root": root.uri,
        "ignored": tally.ignored,
    }
    return Artifact(type="labels", uri=target.uri, digest=digest, facts=facts)


def check_tally(tally: Tally, root: Location, labels: tuple[str, ...]) -> None:
    """Raise TaskInputError unless every label has an image, saying what was expected and what is there."""
    expected = (
        f"one folder for each label with .jpg, .jpeg or .png images: {', '.join(f'{x}/' for x in labels)}"
    )
    if tally.objects == 0:
        message = f"the dataset {root.uri} is empty; it should hold {expected}"
        raise TaskInputError(message)
    missing = [label for label in labels if tally.images[label] == 0]
    if missing:
        message = (
            f"the dataset {root.uri} has no images in {', '.join(f'{label}/' for label in missing)}; it "
            f"should hold {expected}. Found instead: {_found(tally)}"
        )
        raise TaskInputError(message)


def build_line(item: Listed, bucket: str, label: str, index: int) -> dict[str, Any]:
    """Return the manifest line of an image, in the form of Ground Truth's image classification output."""
    # The object's own time, not the run's, so that the same dataset always gives the same bytes.
    created = item.modified.strftime("%Y-%m-%dT%H:%M:%S.%f")
    metadata = {
        "class-name": label,
        "confidence": 1.0,
        "type": "groundtruth/image-classification",
        "job-name": "folders",
        "human-annotated": "yes",
        "creation-date": created,
    }
    return {
        "source-ref": f"s3://{bucket}/{item.key}",
        ATTRIBUTE: index,
        ATTRIBUTE + manifest.METADATA: metadata,
    }


def adopt_manifest(client: Client, config: Config) -> Artifact:
    """Check that the dataset is a manifest with one class attribute and return it as it is."""
    location = parse_location(config.dataset, what="the dataset")
    if not location.key or location.key.endswith("/"):
        message = (
            f"the dataset {location.uri} is a folder; `method: manifest` takes the address of a manifest "
            "(JSON Lines), and `method: folders` takes a folder"
        )
        raise TaskInputError(message)
    digest = s3.required_digest(client, location, what="the manifest")
    survey = survey_manifest(s3.read_lines(client, location), location.uri)
    attribute = choose_attribute(survey, config.attribute, location.uri)
    facts = {
        "labels": list(config.labels) or sorted(survey.classes[attribute], key=_normal_first),
        "count": survey.lines,
        "attribute": attribute,
        "root": survey.root,
    }
    return Artifact(type="labels", uri=location.uri, digest=digest, facts=facts)


@dataclass(kw_only=True)
class Survey:
    """What a manifest holds: its lines, the classes of every attribute, and the folder its images share."""

    lines: int = 0
    classes: dict[str, Counter[str]] = field(default_factory=dict)
    root: str = ""


def survey_manifest(lines: Iterable[tuple[int, bytes]], uri: str) -> Survey:
    """Read a manifest once, a line at a time; raises TaskInputError for lines that are not JSON objects."""
    survey, problems, prefix = Survey(), Problems(uri=uri), None
    for number, raw in lines:
        record = manifest.parse_object(number, raw)
        if isinstance(record, Problem):
            problems.add(record)
        elif record is not None:
            survey.lines += 1
            source = str(record.get("source-ref", ""))
            prefix = source if prefix is None else _common(prefix, source)
            for attribute, name in manifest.class_attributes(record):
                survey.classes.setdefault(attribute, Counter())[name] += 1
    problems.check()
    if survey.lines == 0:
        message = f"the manifest {uri} is empty; it should have one JSON object a line for each image"
        raise TaskInputError(message)
    survey.root = (prefix or "").rpartition("/")[0] + "/"
    return survey


def choose_attribute(survey: Survey, wanted: str | None, uri: str) -> str:
    """Return the class attribute to use; raises TaskInputError when none or more than one could be meant."""
    found = sorted(survey.classes)
    if wanted in survey.classes:
        return wanted
    if len(found) == 1 and wanted is None:
        return found[0]
    if found:
        message = (
            f"the manifest {uri} has the class attributes {', '.join(found)}; leave only the one to train on"
            f"{f' (not {wanted!r}, which the step asks for)' if wanted else ''} in its lines"
        )
    else:
        message = (
            f"the manifest {uri} has no class attribute: no line has a `<name>-metadata` object with a "
            "`class-name`. Boxes and masks are no classes; label the images with a classification job"
        )
    raise TaskInputError(message)


def _write_lines(
    lines: IO[bytes], listed: Iterable[Listed], root: Location, labels: tuple[str, ...], tally: Tally
) -> None:
    for item, label in _images(listed, root, labels, tally):
        line = build_line(item, root.bucket, label, labels.index(label))
        lines.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _images(
    listed: Iterable[Listed], root: Location, labels: tuple[str, ...], tally: Tally
) -> Iterator[tuple[Listed, str]]:
    """Yield the images that lie in a label's folder, with the label; count everything."""
    for item in listed:
        if item.key.endswith("/"):  # the marker that a console's "create folder" leaves
            continue
        tally.objects += 1
        folder, slash, _ = item.key.removeprefix(root.key).partition("/")
        if slash and len(tally.folders) < _SHOWN:
            tally.folders.add(folder)
        if slash and folder in labels and item.key.lower().endswith(IMAGE_SUFFIXES):
            tally.images[folder] += 1
            yield item, folder
        else:
            tally.ignored += 1


def _found(tally: Tally) -> str:
    folders = ", ".join(f"{name}/" for name in sorted(tally.folders)) or "no folders"
    counts = ", ".join(f"{count} images in {label}/" for label, count in sorted(tally.images.items()))
    return f"{tally.objects} files, folders: {folders}{f'; {counts}' if counts else ''}"


def _common(one: str, other: str) -> str:
    """Return what both begin with."""
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _normal_first(name: str) -> tuple[bool, str]:
    """In defect detection class 0 is the good one."""
    return name != "normal", name


def relative_to(root: str, location: Location) -> str:
    """Return the image's key relative to the dataset's root, or its whole address when it lies elsewhere."""
    return location.uri.removeprefix(root)
