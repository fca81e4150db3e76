"""The model repository on disk: one generation of folders for every load, switched by one link.

`generations/<model>/<n>/` mirrors the package's three folders: real folders, whose fresh times tell Triton
that the model changed (unpacked archives may all bear the same time), holding links to the package's files.
`generations/<model>/current` names the generation in service, and the repository's links lead through it, so
all three folders change in one step.
"""

import json
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError, RequestError
from .workfolder import write_atomically

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
PARTS = ("base_{}", "marshal_{}", "{}")
VERSION_FOLDER = "1"
RECORD = "load.json"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One load of a model: where its folders lie, and where they came from."""

    model: str
    version: str
    source: Path
    folder: Path
    labels: tuple[str, ...]

    def can_follow(self, older: "Generation") -> bool:
        """Tell whether parts of both versions may serve together for a moment: same labels, same wiring."""
        return self.labels == older.labels and self._wiring == older._wiring

    @property
    def _wiring(self) -> str:
        return (self.folder / self.model / "config.pbtxt").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A load to repeat after a restart."""

    model: str
    version: str
    source: Path


def check_name(name: str) -> str:
    """Give the name back if it can be a model's; RequestError otherwise."""
    if not NAME.fullmatch(name) or name.startswith(("base_", "marshal_")):
        message = (
            f"{name[:100]!r} is no model name: use small letters, digits, '-' and '_', "
            "beginning with a letter or digit, but not with 'base_' or 'marshal_'"
        )
        raise RequestError(message)
    return name


def build_parts(name: str) -> tuple[str, ...]:
    """Give the names of the three Triton models that make up a model."""
    return tuple(part.format(name) for part in PARTS)


@dataclass(frozen=True, kw_only=True)
class ModelRepository:
    """The folders `models` and `generations` of the work folder."""

    models: Path
    generations: Path

    def stage(self, name: str, source: Path, version: str) -> Generation:
        """Mirror a package's models as a new generation; ModelError says what the package lacks."""
        check_source(source, name)
        labels = read_labels(source / f"base_{name}" / VERSION_FOLDER / "labels.json")
        folder = self._create_folder(name)
        for part in build_parts(name):
            mirror(source / part, folder / part)
        write_atomically(folder / RECORD, json.dumps({"source": str(source), "version": version}).encode())
        return Generation(model=name, version=version, source=source, folder=folder, labels=labels)

    def activate(self, generation: Generation) -> None:
        """Make the repository show this generation, as one that is newer than any before.

        Triton reloads what is newer than what it has, so going back to an older version needs new times.
        """
        own = self.generations / generation.model
        for folder in (path for path in generation.folder.rglob("*") if path.is_dir()):
            os.utime(folder)
        replace_link(own / "current", Path(generation.folder.name))
        self.models.mkdir(parents=True, exist_ok=True)
        for part in build_parts(generation.model):
            replace_link(self.models / part, own / "current" / part)

    def withdraw(self, name: str) -> None:
        """Remove a model from the repository, and all its generations."""
        for part in build_parts(name):
            (self.models / part).unlink(missing_ok=True)
        shutil.rmtree(self.generations / name, ignore_errors=True)

    def discard(self, generation: Generation) -> None:
        """Remove a generation that is not in service."""
        shutil.rmtree(generation.folder, ignore_errors=True)

    def reset(self) -> list[Record]:
        """Empty the repository and give the loads that were in service."""
        found = [self._read_record(link) for link in sorted(self.generations.glob("*/current"))]
        shutil.rmtree(self.models, ignore_errors=True)
        shutil.rmtree(self.generations, ignore_errors=True)
        self.models.mkdir(parents=True)
        return [record for record in found if record and record.source.is_dir()]

    def _create_folder(self, name: str) -> Path:
        own = self.generations / name
        own.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name) for path in own.iterdir() if path.name.isdigit()]
        folder = own / str(max(numbers, default=0) + 1)
        folder.mkdir()
        return folder

    def _read_record(self, link: Path) -> Record | None:
        try:
            record = json.loads((link / RECORD).read_text(encoding="utf-8"))
            version, source = str(record["version"]), Path(record["source"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("%s cannot be read, so its model is not loaded again: %s", link / RECORD, error)
            return None
        return Record(model=link.parent.name, version=version, source=source)


def check_source(source: Path, name: str) -> None:
    """Refuse a folder that is not a package's `models`; ModelError lists what is missing."""
    if not source.is_absolute():
        message = f"source must be an absolute path, not {str(source)!r}"
        raise ModelError(message)
    wanted = [f"{part}/config.pbtxt" for part in build_parts(name)]
    wanted += [f"base_{name}/1/model.py", f"base_{name}/1/labels.json", f"marshal_{name}/1/model.py"]
    missing = [path for path in wanted if not (source / path).is_file()]
    if missing:
        message = f"{source} is no package of model {name!r}: it has no {', '.join(missing)}"
        raise ModelError(message)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read the model's class names; ModelError where the file holds anything else."""
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path} is not JSON: {error}"
        raise ModelError(message) from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        message = f"{path} must hold a list of class names"
        raise ModelError(message)
    return tuple(labels)


def mirror(source: Path, target: Path) -> None:
    """Build the source's folders anew, with links to its files."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            mirror(path, target / path.name)
        else:
            (target / path.name).symlink_to(path)


def replace_link(link: Path, target: Path) -> None:
    """Point the link somewhere else in one step."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)
