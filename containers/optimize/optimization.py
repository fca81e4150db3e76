"""From the trained model to the target's model and its report."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from . import benchmark, dataset
from .choice import Candidate, Choice, choose
from .model import NAME, Session, Signature, open_session, parse_signature, read_archive
from .quantization import quantize

if TYPE_CHECKING:
    from pathlib import Path

    from .dataset import Example
    from .settings import Settings

REPORT = "compile-report.json"
CALIBRATION_IMAGES = 64
PLAIN, QUANTIZED = "fp32", "int8"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A candidate with its file and its open session."""

    candidate: Candidate
    path: Path
    session: Session


def optimize(settings: Settings, scratch: Path) -> dict[str, Any]:
    """Write the target's model.onnx and compile-report.json, and return the report.

    Raises OptimizeError for a model or image that breaks the contract.
    """
    trained = scratch / NAME
    read_archive(settings.inputs / "model", trained)
    signature = parse_signature(trained, settings.labels)
    calibration = dataset.spread(dataset.read_examples(settings.inputs, "train"), CALIBRATION_IMAGES)
    examples = dataset.read_examples(settings.inputs, "validation")
    forms = [_optimized(trained, scratch)]
    if settings.native and calibration and examples:
        forms.append(_quantized(trained, scratch, signature, calibration))
    forms = _measure(forms, signature, examples, native=settings.native)
    choice = _choose(forms, settings)
    return _write(settings, signature, forms, choice, len(examples))


def _optimized(trained: Path, scratch: Path) -> Form:
    path = scratch / "optimized.onnx"
    open_session(trained, optimized=path)
    return _form(PLAIN, path)


def _quantized(trained: Path, scratch: Path, signature: Signature, calibration: list[Example]) -> Form:
    path = scratch / "quantized.onnx"
    quantize(trained, path, signature, dataset.load_images(calibration, signature))
    return _form(QUANTIZED, path)


def _form(name: str, path: Path) -> Form:
    data = path.read_bytes()
    candidate = Candidate(name=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    return Form(candidate=candidate, path=path, session=open_session(path))


def _measure(forms: list[Form], signature: Signature, examples: list[Example], *, native: bool) -> list[Form]:
    """Return the forms with their figures: accuracy where there are images, latency if `native`."""
    if not examples:
        return forms
    images = list(dataset.load_images(examples, signature))
    labels = [example.label for example in examples]
    sessions = {form.candidate.name: form.session for form in forms}
    times = benchmark.latencies(sessions, signature, images[0]) if native else {}
    measured = []
    for form in forms:
        accuracy = benchmark.accuracy(form.session, signature, images, labels)
        latency = times.get(form.candidate.name)
        measured.append(
            replace(form, candidate=replace(form.candidate, accuracy=accuracy, latency_ms=latency))
        )
    return measured


def _choose(forms: list[Form], settings: Settings) -> Choice:
    if len(forms) == 2:
        return choose(forms[0].candidate, forms[1].candidate, settings.max_accuracy_loss)
    if not settings.native:
        reason = f"this machine is no {settings.target}: what INT8 would gain there cannot be measured here"
    else:
        reason = "there are no images to calibrate and measure INT8 with"
    return Choice(name=PLAIN, reason=reason)


def _write(
    settings: Settings, signature: Signature, forms: list[Form], choice: Choice, images: int
) -> dict[str, Any]:
    chosen = next(form for form in forms if form.candidate.name == choice.name)
    report = {
        "target": settings.target,
        "chosen": choice.name,
        "reason": choice.reason,
        "candidates": [asdict(form.candidate) for form in forms],
        "labels": list(settings.labels),
        "images": images,
        "input": {
            "name": signature.input,
            "layout": signature.layout,
            "height": signature.height,
            "width": signature.width,
        },
        "output": signature.output,
        "opset": signature.opset,
        "onnxruntime": ort.__version__,
    }
    settings.output.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(chosen.path, settings.output / NAME)
    (settings.output / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
