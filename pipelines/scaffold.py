"""A new pipeline to begin with: a spec with comments, a training script and the schema for editors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import bundle, schema
from pipelines.diagnostics import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).resolve().parent / "scaffolds"
KINDS = tuple(sorted(path.name for path in FOLDER.iterdir()))
DEVICE = "thing/local-device"
"""The device that `edgepipe run` makes where a spec names no other."""

FILES: Mapping[str, str] = {
    "pipeline.yaml": "pipeline.yaml",
    "training/train.py": "train.py.txt",
    "training/requirements.txt": "requirements.txt",
}
"""What is written, and from which template: `train.py.txt` is a program of the user's, not of edgepipe's."""

SCHEMA_FILE = "pipeline.schema.json"

_QUESTIONS = {
    "name": "What is the pipeline called?",
    "usecase": "Which use case does it belong to?",
    "device": "Which device gets the model first?",
}


class ScaffoldError(RequestError):
    """The pipeline cannot be written; the message says what to give or to move away."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What differs from pipeline to pipeline; `targets` is what the model is compiled for."""

    name: str
    usecase: str
    device: str
    targets: tuple[str, ...]


def suggest(folder: Path) -> dict[str, str]:
    """Return the answers that one might give for a folder."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    name = slug if re.match(r"[a-z]", slug) else "my-pipeline"
    return {"name": name, "usecase": "my-factory", "device": DEVICE}


def settle(
    given: Mapping[str, str | None], folder: Path, *, targets: str, ask: Callable[[str], str] | None
) -> Answers:
    """Complete the given answers with a person's; `ask` is None where nobody is there to be asked.

    Raises ScaffoldError.
    """
    suggested = suggest(folder)
    missing = [name for name in ("name", "usecase") if not given.get(name)]
    if missing and ask is None:
        message = f"nobody is there to be asked; give {' and '.join(f'--{name}' for name in missing)}"
        raise ScaffoldError(message)
    answers = {name: given.get(name) or _answer(name, suggested[name], ask) for name in _QUESTIONS}
    found = Answers(**answers, targets=tuple(word for word in re.split(r"[,\s]+", targets) if word))
    _check(found)
    return found


def render(kind: str, answers: Answers) -> dict[str, str]:
    """Return the files of a new pipeline, path → text."""
    values = {
        "name": answers.name,
        "usecase": answers.usecase,
        "device": answers.device,
        "targets": ", ".join(answers.targets),
    }
    written = {path: _fill(FOLDER / kind / template, values) for path, template in FILES.items()}
    return {**written, SCHEMA_FILE: bundle.render()}


def write(folder: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Write new files. Raises ScaffoldError, and writes none at all where one of them is there."""
    there = [path for path in files if folder.joinpath(path).exists()]
    if there:
        message = f"{folder} has {', '.join(there)} already; init overwrites nothing. Name another folder"
        raise ScaffoldError(message)
    for path, text in files.items():
        _write_new(folder / path, text)
    return tuple(folder / path for path in files)


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise ScaffoldError(message) from error


def _answer(name: str, suggested: str, ask: Callable[[str], str] | None) -> str:
    said = ask(f"{_QUESTIONS[name]} [{suggested}] ").strip() if ask else ""
    return said or suggested


def _fill(template: Path, values: Mapping[str, str]) -> str:
    text = template.read_text(encoding="utf-8")
    return re.sub(r"<<([a-z]+)>>", lambda match: values[match[1]], text)


def _check(answers: Answers) -> None:
    head = schema.read("pipeline.schema.json")["properties"]
    targets = schema.load("steps/compile.schema.json")["properties"]["targets"]["items"]["enum"]
    devices = r"^(thing|thinggroup)/[A-Za-z0-9:_-]{1,128}$"
    problems = [
        *(
            f"--{name} must be {head[name]['patternErrorMessage']}"
            for name in ("name", "usecase")
            if not _fits(head[name], getattr(answers, name))
        ),
        *(
            []
            if re.fullmatch(devices, answers.device)
            else ["--device must be thing/NAME or thinggroup/NAME"]
        ),
        *(
            [f"--targets must be some of {', '.join(targets)}"]
            if not answers.targets or set(answers.targets) - set(targets)
            else []
        ),
    ]
    if problems:
        raise ScaffoldError("; ".join(problems))


def _fits(rule: Mapping[str, object], text: str) -> bool:
    return len(text) <= int(str(rule["maxLength"])) and schema.matches(str(rule["pattern"]), text)
