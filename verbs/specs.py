"""The verbs that need nothing but a spec: they compile it, explain it, draw it, or write a new one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verbs import aws
from verbs.verb import CHANGES, OK, SPEC_INVALID, UsageError, add_output, add_verb, emit, readable, say

if TYPE_CHECKING:
    import argparse

    from pipelines.compiler import Compiled
    from verbs.verb import Verbs


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    _add_validate(verbs)
    _add_compile(verbs)
    _add_graph(verbs)
    _add_explain(verbs)
    _add_plan(verbs)
    _add_init(verbs)
    _add_schema(verbs)


def _add_validate(verbs: Verbs) -> None:
    words = "check specs and show every mistake at its place"
    parser = add_verb(verbs, "validate", _validate, words, spec=False)
    parser.add_argument("specs", metavar="SPEC", type=Path, nargs="+", help="a pipeline's YAML file")
    forms, where = ("text", "json", "github", "sarif"), "text goes to stderr, the others to stdout"
    parser.add_argument("--format", "--output", choices=forms, default="text", help=where)


def _add_compile(verbs: Verbs) -> None:
    parser = add_verb(verbs, "compile", _compile, "write the state machine that a spec stands for")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there, not to stdout")


def _add_graph(verbs: Verbs) -> None:
    parser = add_verb(verbs, "graph", _graph, "draw the steps and what goes between them")
    parser.add_argument("--format", choices=("mermaid", "svg"), default="mermaid", help="(default: mermaid)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there, not to stdout")


def _add_explain(verbs: Verbs) -> None:
    words = "say what a diagnostic means, with a bad and a good example"
    parser = add_verb(verbs, "explain", _explain, words, spec=False)
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as P020; left out, all are listed")
    add_output(parser)


def _add_plan(verbs: Verbs) -> None:
    parser = add_verb(verbs, "plan", _plan, "show what a spec would change, and what a run would cost")
    against = "another spec, what `compile` wrote, or the word deployed: what is live on AWS"
    parser.add_argument("--against", metavar="FILE", help=against)
    words = "how long the jobs of a step or kind take, for the cost"
    parser.add_argument("--minutes", metavar="STEP=MINUTES", action="append", default=[], help=words)
    add_output(parser)
    aws.add_options(parser)
    add_verb(verbs, "policy", _policy, "print the IAM policies that a spec needs")


def _add_init(verbs: Verbs) -> None:
    parser = add_verb(verbs, "init", _init, "write a new pipeline that validates and runs", spec=False)
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, default=Path(), help="(default: here)")
    parser.add_argument("--kind", choices=("classification",), default="classification")
    for name, words in (("name", "its name"), ("usecase", "its use case"), ("device", "thing/NAME")):
        parser.add_argument(f"--{name}", help=f"{words}; left out, init asks on a terminal")
    parser.add_argument("--targets", default="x86_64-cpu,arm64-cpu", help="(default: %(default)s)")


def _add_schema(verbs: Verbs) -> None:
    parser = add_verb(verbs, "schema", _schema, "print the JSON Schema of specs, for editors", spec=False)
    parser.add_argument("kind", metavar="KIND", nargs="?", help="of one kind's steps only")
    parser = add_verb(verbs, "completion", _completion, "print a script that completes words", spec=False)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that will load it")


def _validate(args: argparse.Namespace) -> int:
    if len(args.specs) > 1 and args.format in ("json", "sarif"):
        message = f"--format {args.format} is one document: validate one spec at a time"
        raise UsageError(message)
    return max(_validate_one(spec, args.format) for spec in args.specs)


def _validate_one(spec: Path, form: str) -> int:
    from pipelines.diagnostics import SpecError, render

    try:
        count = len(_load(spec).pipeline.steps)
    except SpecError as error:
        written = render(error.diagnostics, path=error.path, text=error.text, form=form)
        print(written, file=sys.stderr if form == "text" else sys.stdout)
        return SPEC_INVALID
    if form in ("text", "github"):
        say(f"{spec}: {count} step{'s' if count > 1 else ''}, no mistakes")
    else:
        print(render((), path=spec.as_posix(), text="", form=form))
    return OK


def _explain(args: argparse.Namespace) -> int:
    from pipelines import explanation

    sys.stdout.write(explanation.render_as(args.output, args.code))
    return OK


def _compile(args: argparse.Namespace) -> int:
    emit(_load(args.spec).definition, args.output)
    return OK


def _graph(args: argparse.Namespace) -> int:
    from pipelines import drawing, mermaid, svg

    plan = drawing.plan(_load(args.spec))
    emit(svg.render(plan) if args.format == "svg" else mermaid.render(plan), args.output)
    return OK


def _plan(args: argparse.Namespace) -> int:
    from pipelines import cost, plan

    new = plan.read_version(readable(args.spec))
    if args.against == "deployed":
        old = aws.read_deployed(args, new.machine.pipeline)
    else:
        old = plan.read_version(readable(Path(args.against))) if args.against else None
    made = plan.make(new, old, against=args.against or "", minutes=cost.read_minutes(args.minutes))
    sys.stdout.write(plan.render(made, args.output))
    return CHANGES if made.changed else OK


def _policy(args: argparse.Namespace) -> int:
    from pipelines import machine, policies

    sys.stdout.write(policies.render(policies.derive(machine.parse(_load(args.spec).definition))))
    return OK


def _init(args: argparse.Namespace) -> int:
    from pipelines import scaffold

    given = {name: getattr(args, name) for name in ("name", "usecase", "device")}
    ask = _ask if sys.stdin.isatty() else None
    answers = scaffold.settle(given, args.folder, targets=args.targets, ask=ask)
    for path in scaffold.write(args.folder, scaffold.render(args.kind, answers)):
        print(path)
    return OK


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _schema(args: argparse.Namespace) -> int:
    from pipelines import bundle

    sys.stdout.write(bundle.render(args.kind))
    return OK


def _completion(args: argparse.Namespace) -> int:
    from pipelines import completion

    sys.stdout.write(completion.render(args.parser, args.shell))
    return OK


def _load(spec: Path) -> Compiled:
    from pipelines import assets
    from pipelines.compiler import compile_text

    text = assets.read_spec(readable(spec))
    return compile_text(text, path=spec.as_posix(), exists=assets.exists_beside(spec))
