"""The command line: each verb imports its own module when it is called.

Data goes to stdout, words to stderr. Exit codes: 0 done, 1 the run or its gate failed, 2 wrong usage, 3 the
spec has mistakes, 4 `plan` found changes, 5 something is missing on this machine, 70 a bug in edgepipe, 130
interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.compiler import Compiled

    _Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

OK, FAILED, USAGE, SPEC_INVALID, CHANGES, ENVIRONMENT, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130

_MACHINE_FAULTS = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
)
"""What an operating system says when the machine, not edgepipe, is at fault."""

_OURS = ("cli", "pipelines", "local_cloud", "tasks", "containers", "edge_components")


class UsageError(Exception):
    """What was asked for cannot be done as asked."""


class EnvironmentLacksError(Exception):
    """This machine lacks something that the verb needs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; whatever happens, no traceback reaches the terminal."""
    _write_utf8()
    try:
        args = _parser().parse_args(argv)
        code = _guard(args.verb, args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as with `| head`. Python would fail once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    else:
        return code


def _guard(verb: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Call a verb and turn what it raises into one message and an exit code."""
    try:
        return verb(args)
    except KeyboardInterrupt:
        _say("edgepipe: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        code = _exit_code(error)
        if code == BUG:
            return _report_bug(error)
        _say(str(error) if code == SPEC_INVALID else f"edgepipe: {error}")
        return code


def _exit_code(error: Exception) -> int:
    from pipelines.assets import AssetError
    from pipelines.diagnostics import RequestError, SpecError
    from pipelines.parameters import ParameterError

    if isinstance(error, SpecError):
        return SPEC_INVALID
    if isinstance(error, UsageError | RequestError | ParameterError | AssetError):
        return USAGE
    broken_machine = isinstance(error, OSError) and error.errno in _MACHINE_FAULTS
    return ENVIRONMENT if broken_machine or isinstance(error, EnvironmentLacksError) else BUG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgepipe",
        description="Compile a YAML pipeline into AWS Step Functions, and run it on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_validate(verbs)
    _add_compile(verbs)
    _add_graph(verbs)
    _add_run(verbs)
    _add_explain(verbs)
    _add_plan(verbs)
    _add_init(verbs)
    _add_schema(verbs)
    return parser


def _add_verb(
    verbs: _Verbs, name: str, verb: Callable[[argparse.Namespace], int], words: str, *, spec: bool = True
) -> argparse.ArgumentParser:
    """Add a verb that takes a spec or not; `words` is its help and, as a sentence, its description."""
    parser = verbs.add_parser(
        name, help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False
    )
    if spec:
        parser.add_argument("spec", metavar="SPEC", type=Path, help="the pipeline's YAML file")
    parser.set_defaults(verb=verb)
    return parser


def _add_validate(verbs: _Verbs) -> None:
    words = "check specs and show every mistake at its place"
    parser = _add_verb(verbs, "validate", _validate, words, spec=False)
    parser.add_argument("specs", metavar="SPEC", type=Path, nargs="+", help="a pipeline's YAML file")
    forms, where = ("text", "json", "github", "sarif"), "text goes to stderr, the others to stdout"
    parser.add_argument("--format", "--output", choices=forms, default="text", help=where)


def _add_compile(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "compile", _compile, "write the state machine that a spec stands for")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there, not to stdout")


def _add_graph(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "graph", _graph, "draw the steps and what goes between them")
    parser.add_argument("--format", choices=("mermaid", "svg"), default="mermaid", help="(default: mermaid)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there, not to stdout")


def _add_run(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "run", _run, "run a pipeline on this machine, without AWS")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        dest="params",
        action="append",
        type=_assignment,
        default=[],
        help="a parameter's value; for a dataset, a folder on this machine will do",
    )
    words = "where runs, logs and devices are kept (default: .edgepipe)"
    parser.add_argument("--state-dir", metavar="DIR", type=Path, default=Path(".edgepipe"), help=words)
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="json prints the run's record to stdout"
    )
    for verb in ("approve", "reject"):
        parser.add_argument(
            f"--{verb}", metavar="STEP", action="append", default=[], help=f"{verb} a step that would ask"
        )
    parser.add_argument("--serve", action="store_true", help="keep the device answering until Ctrl-C")


def _add_explain(verbs: _Verbs) -> None:
    words = "say what a diagnostic means, with a bad and a good example"
    parser = _add_verb(verbs, "explain", _explain, words, spec=False)
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as P020; left out, all are listed")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="(default: text)")


def _add_plan(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "plan", _plan, "show what a spec would change, and what a run would cost")
    parser.add_argument("--against", metavar="FILE", help="another spec, or what `compile` wrote")
    words = "how long the jobs of a step or kind take, for the cost"
    parser.add_argument("--minutes", metavar="STEP=MINUTES", action="append", default=[], help=words)
    parser.add_argument("--output", choices=("text", "json"), default="text", help="(default: text)")
    _add_verb(verbs, "policy", _policy, "print the IAM policies that a spec needs")


def _add_init(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "init", _init, "write a new pipeline that validates and runs", spec=False)
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, default=Path(), help="(default: here)")
    parser.add_argument("--kind", choices=("classification",), default="classification")
    for name, words in (("name", "its name"), ("usecase", "its use case"), ("device", "thing/NAME")):
        parser.add_argument(f"--{name}", help=f"{words}; left out, init asks on a terminal")
    parser.add_argument("--targets", default="x86_64-cpu,arm64-cpu", help="(default: %(default)s)")


def _add_schema(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "schema", _schema, "print the JSON Schema of specs, for editors", spec=False)
    parser.add_argument("kind", metavar="KIND", nargs="?", help="of one kind's steps only")
    parser = _add_verb(verbs, "completion", _completion, "print a script that completes words", spec=False)
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
        _say(f"{spec}: {count} step{'s' if count > 1 else ''}, no mistakes")
    else:
        print(render((), path=spec.as_posix(), text="", form=form))
    return OK


def _explain(args: argparse.Namespace) -> int:
    from pipelines import explanation

    sys.stdout.write(explanation.render_as(args.output, args.code))
    return OK


def _compile(args: argparse.Namespace) -> int:
    _emit(_load(args.spec).definition, args.output)
    return OK


def _graph(args: argparse.Namespace) -> int:
    from pipelines import drawing, mermaid, svg

    plan = drawing.plan(_load(args.spec))
    _emit(svg.render(plan) if args.format == "svg" else mermaid.render(plan), args.output)
    return OK


def _plan(args: argparse.Namespace) -> int:
    from pipelines import cost, plan

    if args.against == "deployed":
        message = "this edgepipe cannot read what is deployed on AWS; compare with a file: --against FILE"
        raise EnvironmentLacksError(message)
    new = plan.read_version(_readable(args.spec))
    old = plan.read_version(_readable(Path(args.against))) if args.against else None
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

    sys.stdout.write(completion.render(_parser(), args.shell))
    return OK


def _run(args: argparse.Namespace) -> int:
    params = dict(args.params)
    if len(params) < len(args.params):
        message = "a parameter is given twice"
        raise UsageError(message)
    if both := set(args.approve) & set(args.reject):
        message = f"--approve and --reject both name {', '.join(sorted(both))}"
        raise UsageError(message)
    answers = {**dict.fromkeys(args.approve, True), **dict.fromkeys(args.reject, False)}
    _readable(args.spec)
    try:
        from local_cloud.run import UnavailableError, run_spec
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in _OURS:
            raise
        message = f"'run' needs {error.name}, which is not installed: pip install 'edgepipe[local,edge]'"
        raise EnvironmentLacksError(message) from error
    try:
        return run_spec(
            args.spec,
            params=params,
            state_dir=args.state_dir,
            output=args.output,
            serve=args.serve,
            answers=answers,
        )
    except UnavailableError as error:
        raise EnvironmentLacksError(str(error)) from error


def _load(spec: Path) -> Compiled:
    from pipelines import assets
    from pipelines.compiler import compile_text

    text = assets.read_spec(_readable(spec))
    return compile_text(text, path=spec.as_posix(), exists=assets.exists_beside(spec))


def _readable(spec: Path) -> Path:
    """Return the path of a file that can be read. Raises UsageError."""
    try:
        spec.open("rb").close()
    except OSError as error:
        message = f"cannot read {spec}: {error.strerror}"
        raise UsageError(message) from error
    return spec


def _emit(text: str, output: Path | None) -> None:
    """Write data to a file or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"cannot write {output}: {error.strerror}"
        raise EnvironmentLacksError(message) from error


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"'{text}' is not NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    return name, value


def _report_bug(error: Exception) -> int:
    """Keep the traceback in a file and say where; EDGEPIPE_DEBUG=1 shows it."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    if os.environ.get("EDGEPIPE_DEBUG"):
        _say(text)
    with tempfile.NamedTemporaryFile(
        "w", prefix="edgepipe-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    _say(f"edgepipe has a bug: {summary}. Please report it with the file {file.name}")
    return BUG


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _write_utf8() -> None:
    """Write the same bytes everywhere: UTF-8 and plain newlines, whatever the locale is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


class _Version(argparse.Action):
    """Prints the version; finds it only when asked, because importlib.metadata is slow to import."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=kwargs.get("help"))

    def __call__(self, parser: argparse.ArgumentParser, *_args: object) -> None:
        from importlib.metadata import version

        print(f"edgepipe {version('edgepipe')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
