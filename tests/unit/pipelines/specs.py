"""Specs to build test cases from."""

from __future__ import annotations

from pipelines.compiler import Compiled, compile_text
from pipelines.diagnostics import Diagnostic, SpecError

HEAD = "version: 1\nname: cookies\nusecase: cookie-factory\n"
LABEL = '  label: {method: folders, dataset: "s3://bucket/x/", labels: [normal, anomaly]}\n'
TRANSFORM = "  transform: {}\n"
TRAIN = '  train: {script: train.py, framework: {name: sklearn, version: "1"}}\n'
COMPILE = "  compile: {targets: [x86_64-cpu, arm64-cpu]}\n"
MODEL = LABEL + TRANSFORM + TRAIN


def spec(steps: str = LABEL, params: str = "") -> str:
    """Return a spec with these steps and parameters, each an indented line."""
    return f"{HEAD}{f'params:{chr(10)}{params}' if params else ''}steps:\n{steps}"


def build(steps: str = LABEL, params: str = "", path: str = "spec.yaml") -> Compiled:
    """Compile a spec that is expected to be good."""
    return compile_text(spec(steps, params), path=path)


def mistakes(text: str) -> list[Diagnostic]:
    """Return what is wrong with a spec; scripts called missing.py do not exist."""
    try:
        compile_text(text, path="spec.yaml", exists=lambda name: name != "missing.py")
    except SpecError as error:
        return list(error.diagnostics)
    return []


def codes(text: str) -> list[str]:
    """Return the codes of a spec's mistakes."""
    return [item.code for item in mistakes(text)]
