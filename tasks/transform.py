"""transform: turns labels into the training manifest: checked, split, with every image looked at.

An image's side is decided by a hash of its key, so it never changes sides when others come or go.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from tasks import aws, entry, images, manifest, s3
from tasks.errors import TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.fields import Fields
from tasks.images import Broken
from tasks.label import relative_to
from tasks.manifest import Entry, Labelled, Problem, Problems, Unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tasks.aws import Client
    from tasks.locations import Location

ACTIONS = (*aws.ACTIONS, *s3.READ_ACTIONS, *s3.WRITE_ACTIONS)

FORMATS = ("defect",)
ATTRIBUTE = "anomaly-label"
SPLITS = ("train", "validation", "test")
_FILES = {
    "train": "manifests/train.jsonl",
    "validation": "manifests/validation.jsonl",
    # Outside the folder that training mounts: what is held out must not reach it.
    "test": "held-out/test.jsonl",
}
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `fractions` holds the splits that are used, in order, and adds up to 1."""

    fractions: tuple[tuple[str, float], ...]
    min_images: int
    min_per_class: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """The labels to transform."""

    location: Location
    labels: tuple[str, ...]
    attribute: str
    root: str


@dataclass(kw_only=True)
class Tally:
    """What has been written: images of each class in each split, and what was left out."""

    counts: dict[str, Counter[str]]
    bucket: str | None = None
    failed: int = 0
    duplicates: int = 0
    seen: dict[int, tuple[int, str]] = field(default_factory=dict)
    """First line and class of each image, by 64 bits of its hash: 10^7 of them collide with p = 10^-6."""

    @property
    def per_class(self) -> Counter[str]:
        """Return the images of each class over all splits."""
        return sum(self.counts.values(), Counter())


@dataclass(frozen=True, kw_only=True)
class Drafts:
    """The files being written, on the Lambda's disk: all lines, and for each split its lines and its keys."""

    everything: IO[bytes]
    lines: dict[str, IO[bytes]]
    keys: dict[str, IO[bytes]]


def run(event: StepEvent) -> Output:
    """Check, split and rewrite the labels; raises TaskInputError giving each problem's line and pointer."""
    config = parse_config(event.config)
    source = parse_source(event.artifact("labels"))
    client = aws.client("s3", event.usecase, event.run)
    buckets = (event.usecase.data_bucket, event.usecase.results_bucket)
    with s3.draft_folder() as folder:
        tally = write_drafts(client, source, config, buckets, folder)
        check_tally(tally, source, config)
        return {"manifest": _upload(client, event.folder, source, tally, folder).as_json()}


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    if config.text("format") not in FORMATS:
        config.refuse("format", f"must be one of {', '.join(FORMATS)}")
    split = config.child("split")
    if split.text("by", "hash") != "hash":
        split.refuse("by", "must be hash")
    fractions = tuple((name, split.number(name)) for name in SPLITS if split.has(name))
    if any(not 0 <= part <= 1 for _, part in fractions) or abs(sum(part for _, part in fractions) - 1) > 1e-9:
        config.refuse("split", "must have fractions that add up to 1")
    require = config.child("require", {})
    return Config(
        fractions=tuple((name, part) for name, part in fractions if part > 0),
        min_images=require.integer("min_images", 1),
        min_per_class=require.integer("min_per_class", 1),
    )


def parse_source(labels: Artifact) -> Source:
    """Return what is to be transformed; raises TaskInputError when the labels artifact lacks a fact."""
    facts = Fields(labels.facts, "inputs.labels.facts")
    names = facts.texts("labels")
    if len(names) < 2:
        facts.refuse(
            "labels", "must have two classes or more: a model of one class has nothing to tell apart"
        )
    return Source(
        location=labels.location,
        labels=names,
        attribute=facts.text("attribute"),
        root=facts.text("root", ""),
    )


def side_of(key: str, fractions: tuple[tuple[str, float], ...]) -> str:
    """Return the split of an image by its key relative to the dataset's root."""
    point = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big") / 2**256
    edge = 0.0
    for name, part in fractions:
        edge += part
        if point < edge:
            return name
    return fractions[-1][0]


def build_line(item: Labelled, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the training manifest's line for an image; a label without a confidence counts as certain."""
    defaults = {
        "class-name": item.class_name,
        "confidence": 1.0,
        "type": "groundtruth/image-classification",
        "job-name": ATTRIBUTE,
        "human-annotated": "yes",
    }
    metadata = {key: item.metadata.get(key, value) for key, value in defaults.items()}
    if "creation-date" in item.metadata:
        metadata["creation-date"] = item.metadata["creation-date"]
    return {
        "source-ref": item.source.uri,
        ATTRIBUTE: labels.index(item.class_name),
        ATTRIBUTE + manifest.METADATA: metadata,
    }


def write_drafts(
    client: Client, source: Source, config: Config, buckets: tuple[str, ...], folder: Path
) -> Tally:
    """Write the manifest and its splits into `folder`, holding a few hundred lines at a time."""
    tally = Tally(counts={name: Counter() for name, _ in config.fractions})
    problems = Problems(uri=source.location.uri)
    with ExitStack() as stack:
        drafts = _open_drafts(folder, config, stack)
        entries = _labelled(s3.read_lines(client, source.location), source, tally, problems)
        for batch in _batches(_of_bucket(entries, buckets, tally, problems)):
            _check_images(client, batch, problems)
            for item in batch:
                _write(item, source, config, tally, drafts)
        problems.check()
        for file in drafts.keys.values():
            file.write(b"]")
    return tally


def check_tally(tally: Tally, source: Source, config: Config) -> None:
    """Raise TaskInputError unless there is enough of every class, over all and in every split."""
    counts = tally.per_class
    told = ", ".join(f"{counts[label]} {label}" for label in source.labels)
    where = f"{source.location.uri} has {counts.total()} images ({told})"
    poor = [label for label in source.labels if counts[label] < max(1, config.min_per_class)]
    if poor:
        message = (
            f"{where}, but each class needs {max(1, config.min_per_class)} or more; "
            f"add images of {', '.join(poor)}, or lower require.min_per_class"
        )
        raise TaskInputError(message)
    if counts.total() < config.min_images:
        message = f"{where}, but {config.min_images} are required; add images, or lower require.min_images"
        raise TaskInputError(message)
    for name, split in tally.counts.items():
        lacking = [label for label in source.labels if split[label] == 0]
        if lacking:
            message = (
                f"{where}, of which split.{name} got none of {', '.join(lacking)}; "
                f"add images, or give {name} a larger fraction"
            )
            raise TaskInputError(message)


def _labelled(
    lines: Iterable[tuple[int, bytes]], source: Source, tally: Tally, problems: Problems
) -> Iterator[Labelled]:
    """Yield each image once; failed ones and repetitions are counted, contradictions are problems."""
    for number, raw in lines:
        record = manifest.parse_object(number, raw)
        if record is None:
            continue
        found: Entry = (
            record
            if isinstance(record, Problem)
            else manifest.parse_entry(number, record, source.attribute, source.labels)
        )
        match found:
            case Problem():
                problems.add(found)
            case Unlabelled():
                tally.failed += 1
            case Labelled():
                if _is_new(found, tally, problems):
                    yield found


def _is_new(item: Labelled, tally: Tally, problems: Problems) -> bool:
    mark = int.from_bytes(hashlib.blake2b(item.source.uri.encode(), digest_size=8).digest(), "big")
    line, name = tally.seen.setdefault(mark, (item.line, item.class_name))
    if line == item.line:
        return True
    if name == item.class_name:
        tally.duplicates += 1
    else:
        text = f"{item.source.uri} is {item.class_name!r} here and {name!r} in line {line}; keep one of them"
        problems.add(Problem(line=item.line, pointer="/source-ref", text=text))
    return False


def _of_bucket(
    items: Iterable[Labelled], buckets: tuple[str, ...], tally: Tally, problems: Problems
) -> Iterator[Labelled]:
    """Yield the images of one bucket of the use case: a training channel takes its files from one."""
    for item in items:
        bucket = item.source.bucket
        if bucket not in buckets:
            text = (
                f"the image lies in the bucket {bucket}, which is not the use case's; copy it to {buckets[0]}"
            )
            problems.add(Problem(line=item.line, pointer="/source-ref", text=text))
        elif bucket != (tally.bucket or bucket):
            text = (
                f"the image lies in {bucket}, those before it in {tally.bucket}; keep them all in one bucket"
            )
            problems.add(Problem(line=item.line, pointer="/source-ref", text=text))
        else:
            tally.bucket = bucket
            yield item


def _check_images(client: Client, batch: list[Labelled], problems: Problems) -> None:
    lines = {item.source: item.line for item in batch}
    for location, found in images.check_objects(client, lines):
        if isinstance(found, Broken):
            text = f"{location.uri} {found.reason}. Replace the image, or remove it from the dataset"
            problems.add(Problem(line=lines[location], pointer="/source-ref", text=text))


def _write(item: Labelled, source: Source, config: Config, tally: Tally, drafts: Drafts) -> None:
    side = side_of(relative_to(source.root, item.source), config.fractions)
    line = json.dumps(build_line(item, source.labels), ensure_ascii=False, separators=(",", ":")).encode()
    drafts.everything.write(line + b"\n")
    drafts.lines[side].write(line + b"\n")
    if not tally.counts[side]:
        drafts.keys[side].write(json.dumps([{"prefix": f"s3://{item.source.bucket}/"}])[:-1].encode())
    drafts.keys[side].write(b",\n" + json.dumps(item.source.key).encode())
    tally.counts[side][item.class_name] += 1


def _open_drafts(folder: Path, config: Config, stack: ExitStack) -> Drafts:
    for name in ("manifests", "held-out", "images"):
        (folder / name).mkdir()
    names = [name for name, _ in config.fractions]
    return Drafts(
        everything=stack.enter_context((folder / "all.jsonl").open("wb")),
        lines={name: stack.enter_context((folder / _FILES[name]).open("wb")) for name in names},
        keys={name: stack.enter_context((folder / f"images/{name}.json").open("wb")) for name in names},
    )


def _upload(client: Client, target: Location, source: Source, tally: Tally, folder: Path) -> Artifact:
    splits = {}
    for name, counts in tally.counts.items():
        lines, keys = _FILES[name], f"images/{name}.json"
        s3.write_file(client, target / lines, folder / lines, content_type="application/jsonlines")
        s3.write_file(client, target / keys, folder / keys, content_type="application/json")
        splits[name] = {
            "uri": (target / lines).uri,
            "images": (target / keys).uri,
            "count": counts.total(),
            "per_class": {label: counts[label] for label in source.labels},
        }
    everything = target / "all.jsonl"
    digest = s3.write_file(client, everything, folder / "all.jsonl", content_type="application/jsonlines")
    facts = {
        "labels": list(source.labels),
        "splits": splits,
        "count": tally.per_class.total(),
        "left_out": {"failed": tally.failed, "duplicates": tally.duplicates},
    }
    return Artifact(type="manifest", uri=everything.uri, digest=digest, facts=facts)


def _batches(items: Iterator[Labelled]) -> Iterator[list[Labelled]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
