"""package: puts each compiled model with the runtime's files into the zip that a device unpacks.

The zip is a Triton model repository; the same inputs give the same bytes. Model and zip pass through in
streams: memory does not grow with the model.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tasks import aws, entry, s3, triton
from tasks.errors import TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.aws import Client
    from tasks.locations import Location

ACTIONS = (*aws.ACTIONS, *s3.READ_ACTIONS, *s3.WRITE_ACTIONS)

LAYOUTS = ("triton",)
RUNTIME_FILES = ("base.py", "marshal.py", "loader.py")
MAX_RUNTIME_BYTES = 4 << 20
MODEL_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: a real one would change the bytes with every build."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings."""

    layout: str
    model: str


def run(event: StepEvent) -> Output:
    """Build one zip for each target; raises TaskInputError for a model or runtime that cannot be packaged."""
    config = parse_config(event.config)
    client = aws.client("s3", event.usecase, event.run)
    runtime = read_runtime(s3.read_bytes(client, event.asset("runtime"), limit=MAX_RUNTIME_BYTES))
    models = event.artifacts("compiled_model")
    return {
        "package": {
            target: _package(client, model, target, config, runtime, event.folder).as_json()
            for target, model in sorted(models.items())
        }
    }


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    layout = config.text("layout")
    if layout not in LAYOUTS:
        config.refuse("layout", f"must be one of {', '.join(LAYOUTS)}")
    return Config(layout=layout, model=config.text("model", pattern=MODEL_NAME))


def read_runtime(archive: bytes) -> dict[str, bytes]:
    """Return the runtime's files, taken from a tar.gz by their exact names; nothing is extracted to disk.

    Raises TaskInputError for an archive that is broken, too large, or lacks one of the files.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflate(archive)), mode="r:") as tar:
            found = {member.name: _content(tar, member) for member in tar if _wanted(member)}
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        message = f"the runtime asset is no readable tar.gz ({error}); deploy the pipeline again"
        raise TaskInputError(message) from error
    missing = [name for name in RUNTIME_FILES if name not in found]
    if missing:
        message = f"the runtime asset lacks {', '.join(missing)}; deploy the pipeline again"
        raise TaskInputError(message)
    return found


def build_files(
    model: str, target: str, labels: tuple[str, ...], digest: str, runtime: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return every file of the zip but the model itself, by path."""
    base, marshal = f"models/{triton.base_name(model)}", f"models/{triton.marshal_name(model)}"
    names = json.dumps(list(labels), ensure_ascii=False).encode()
    about = {
        "model": model,
        "target": target,
        "labels": list(labels),
        "compiled_model": digest,
        "layout": "triton",
    }
    return {
        "loader.py": runtime["loader.py"],
        f"{base}/1/labels.json": names,
        f"{base}/1/model.py": runtime["base.py"],
        f"{base}/config.pbtxt": triton.render_base(model).encode(),
        f"{marshal}/1/labels.json": names,
        f"{marshal}/1/model.py": runtime["marshal.py"],
        f"{marshal}/config.pbtxt": triton.render_marshal(model).encode(),
        f"models/{model}/1/ensemble_model": b"",
        f"models/{model}/config.pbtxt": triton.render_ensemble(model).encode(),
        "package.json": json.dumps(about, indent=2, ensure_ascii=False).encode() + b"\n",
    }


def write_zip(
    target: IO[bytes], files: Mapping[str, bytes], client: Client, path: str, model: Location
) -> None:
    """Write `files` and, at `path`, the model streamed from S3; stored, as weights hardly compress."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(_entry(name), content)
        with archive.open(_entry(path), "w", force_zip64=True) as member:
            s3.copy_stream(client, model, member)


def _package(
    client: Client,
    model: Artifact,
    target: str,
    config: Config,
    runtime: Mapping[str, bytes],
    folder: Location,
) -> Artifact:
    labels = Fields(model.facts, f"inputs.compiled_model.{target}.facts").texts("labels")
    files = build_files(config.model, target, labels, model.digest, runtime)
    path = f"models/{triton.base_name(config.model)}/1/model.onnx"
    location = folder / f"{target}.zip"
    with s3.draft_folder() as drafts:
        draft = drafts / "package.zip"
        with draft.open("wb") as file:
            write_zip(file, files, client, path, model.location)
        digest = s3.write_file(client, location, draft, content_type="application/zip")
        size = draft.stat().st_size
    facts = {"size": size, "model": config.model, "labels": list(labels)}
    return Artifact(type="package", uri=location.uri, digest=digest, facts=facts)


def _inflate(archive: bytes) -> bytes:
    """Return the tar inside, whose size the archive cannot be trusted about."""
    with gzip.open(io.BytesIO(archive)) as stream:
        content = stream.read(MAX_RUNTIME_BYTES + 1)
    if len(content) > MAX_RUNTIME_BYTES:
        message = f"it holds more than {MAX_RUNTIME_BYTES} bytes"
        raise OSError(message)
    return content


def _wanted(member: tarfile.TarInfo) -> bool:
    return member.name in RUNTIME_FILES and member.isreg() and member.size <= MAX_RUNTIME_BYTES


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read(MAX_RUNTIME_BYTES)


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3  # Unix, wherever this runs: the field is part of the bytes
    return info
