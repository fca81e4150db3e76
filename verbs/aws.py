"""The verbs that act on AWS, and the way to AWS of those that act here too.

A run here and a run on AWS are asked for with the same words. AWS is meant where the run is an execution's
ARN, or where --aws, --profile, --region or --endpoint-url is given
(docs/decisions/0010-one-verb-two-places.md).
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbs.verb import (
    FAILED,
    OK,
    EnvironmentLacksError,
    UsageError,
    add_output,
    add_verb,
    assignment,
    readable,
    say,
    write_json,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from operations.session import Aws, Caller, Settings
    from operations.versions import Machines
    from pipelines.changes import Version
    from verbs.verb import Verbs

    Verb = Callable[[argparse.Namespace], int]

LOOK_SECONDS = 5.0
_SIGNS = ("aws", "profile", "region", "endpoint_url", "account")


def add(verbs: Verbs) -> None:
    """Add the verbs of AWS, and AWS to the verbs of runs; called after all other verbs are there."""
    _add_apply(verbs)
    _add_submit(verbs)
    for name, act in _SHARED.items():
        _share(verbs, name, act)
    verbs.known["runs"].add_argument("--pipeline", metavar="NAME", help="on AWS: only this pipeline's runs")
    redrive = add_verb(
        verbs,
        "redrive",
        on_aws(_redrive),
        "go on with a run on AWS that failed, timed out or was stopped, at the step where it ended",
        spec=False,
    )
    redrive.add_argument("run", metavar="RUN", help="its ARN or its name")
    add_options(redrive)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whose credentials to use, and where to go with them, as the AWS CLI does."""
    group = parser.add_argument_group("AWS")
    group.add_argument("--profile", help="a profile of the AWS CLI (default: AWS_PROFILE)")
    group.add_argument("--region", help="the AWS region (default: AWS_REGION, the profile's, the use case's)")
    group.add_argument("--endpoint-url", metavar="URL", help="talk to this address instead of AWS")
    group.add_argument(
        "--account",
        metavar="ID",
        default=os.environ.get("EDGEPIPE_ACCOUNT"),
        help="refuse to act in any other account (default: EDGEPIPE_ACCOUNT)",
    )
    default = Path("usecases")
    group.add_argument("--usecase-dir", metavar="DIR", type=Path, default=default, help="(default: usecases)")


def settings_of(args: argparse.Namespace) -> Settings:
    """Return what the options say."""
    from operations.session import Settings

    return Settings(
        profile=args.profile, region=args.region, endpoint_url=args.endpoint_url, account=args.account
    )


def read_deployed(args: argparse.Namespace, pipeline: str) -> Version | None:
    """Return the live version of a pipeline, or None where there is none yet."""
    found: list[Version | None] = []

    def look(args: argparse.Namespace) -> int:
        from operations import deployed

        _, _, machines = _open_machines(args)
        live = machines.live(pipeline)
        found.append(deployed.read_version(live.definition, pipeline) if live else None)
        return OK

    on_aws(look)(args)
    return found[0]


def guarded(act: Callable[[], int], settings: Settings) -> int:
    """Call what talks to AWS; whatever is in its way becomes one line that names the remedy."""
    from operations.errors import OperationError, explained
    from pipelines.usecase import UnregisteredError

    try:
        with explained(settings):
            return act()
    except (OperationError, UnregisteredError) as error:
        raise EnvironmentLacksError(str(error)) from error


def on_aws(act: Verb) -> Verb:
    """Return a verb that needs boto3 and explains what AWS refuses."""

    @functools.wraps(act)
    def verb(args: argparse.Namespace) -> int:
        return guarded(lambda: act(args), settings_of(args))

    return verb


def _share(verbs: Verbs, name: str, act: Verb) -> None:
    """Give a verb of runs on this machine its AWS side."""
    parser = verbs.known[name]
    parser.add_argument("--aws", action="store_true", help="act on AWS, not here")
    add_options(parser)
    local = parser.get_default("verb")
    parser.set_defaults(verb=functools.partial(_route, local=local, remote=on_aws(act)))


def _route(args: argparse.Namespace, *, local: Verb, remote: Verb) -> int:
    return remote(args) if _means_aws(args) else local(args)


def _means_aws(args: argparse.Namespace) -> bool:
    """Say whether a verb that knows both places is to act on AWS."""
    run = str(getattr(args, "run", None) or "")
    chosen = [name for name in _SIGNS if getattr(args, name, None)]
    return (run.startswith("arn:") and ":execution:" in run) or any(name != "account" for name in chosen)


def _add_apply(verbs: Verbs) -> None:
    parser = add_verb(verbs, "apply", on_aws(_apply), "make a spec the live version of its pipeline on AWS")
    add_output(parser)
    add_options(parser)
    words = "make an older version of a pipeline live again"
    parser = add_verb(verbs, "rollback", on_aws(_rollback), words, spec=False)
    parser.add_argument("pipeline", metavar="PIPELINE", help="the pipeline's name")
    parser.add_argument("--to", metavar="VERSION", type=int, help="(default: the one before the live one)")
    add_output(parser)
    add_options(parser)


def _add_submit(verbs: Verbs) -> None:
    words = "start a run of the live version on AWS; the same again is the same run"
    parser = add_verb(verbs, "submit", on_aws(_submit), words, spec=False)
    parser.add_argument("pipeline", metavar="SPEC|PIPELINE", help="a spec's file, or a pipeline's name")
    parser.add_argument(
        "--param", metavar="NAME=VALUE", dest="params", action="append", type=assignment, default=[]
    )
    parser.add_argument("--watch", action="store_true", help="follow the run to its end")
    parser.add_argument("--force-new", metavar="NAME", default="", help="another run of the same, with NAME")
    add_output(parser)
    add_options(parser)


def _apply(args: argparse.Namespace) -> int:
    from operations import release, session, source
    from pipelines import usecase

    made = source.read_source(readable(args.spec))
    there = usecase.read(args.usecase_dir, made.compiled.pipeline.usecase)
    aws, caller = session.open_orchestrator(settings_of(args), there, say)
    _print(release.apply(aws, caller, there, made), args.output)
    return OK


def _rollback(args: argparse.Namespace) -> int:
    from operations import release

    aws, caller = _open(args)
    _print(release.rollback(aws, caller, args.pipeline, args.to), args.output)
    return OK


def _submit(args: argparse.Namespace) -> int:
    from operations import submission

    params = dict(args.params)
    if len(params) < len(args.params):
        message = "a parameter is given twice"
        raise UsageError(message)
    given = Path(args.pipeline)
    choose = _choose_spec if given.suffix in (".yaml", ".yml") or given.is_file() else _choose_live
    machines, compiled, version, commit = choose(args)
    wish = submission.Wish(params=params, commit=commit, again=args.force_new)
    made = submission.submit(machines, compiled, version, wish)
    if args.output == "json":
        write_json(vars(made))
    else:
        print(made.render(), flush=True)
    return _follow(machines, made.arn, say) if args.watch else OK


def _choose_spec(args: argparse.Namespace) -> Any:  # noqa: ANN401 - what `_submit` takes apart
    """Compile the spec, and see that it is what is live."""
    from operations import session, source, submission, versions
    from pipelines import usecase

    made = source.read_source(readable(Path(args.pipeline)))
    there = usecase.read(args.usecase_dir, made.compiled.pipeline.usecase)
    aws, caller = session.open_orchestrator(settings_of(args), there, say)
    machines = versions.open_machines(aws, caller.account)
    version = machines.require_live(made.compiled.pipeline.name)
    submission.check_live(made, version)
    return machines, made.compiled, version, made.commit[:12]


def _choose_live(args: argparse.Namespace) -> Any:  # noqa: ANN401 - as above
    """Take the spec that the live version was made from."""
    from operations import submission, versions
    from pipelines import usecase

    aws, caller = _open(args)
    machines = versions.open_machines(aws, caller.account)
    version = machines.require_live(args.pipeline)
    there = usecase.read(args.usecase_dir, submission.usecase_id(version))
    compiled = submission.read_live(aws, there, version, args.pipeline)
    return machines, compiled, version, version.origin.commit if version.origin else ""


def _open(args: argparse.Namespace) -> tuple[Aws, Caller]:
    from operations import runs, session

    settings = settings_of(args)
    named = runs.ARN.fullmatch(str(getattr(args, "run", None) or ""))
    if named and not settings.region:
        settings = session.Settings(**{**vars(settings), "region": named["region"]})
    return session.open_orchestrator(settings, None, say)


def _open_machines(args: argparse.Namespace) -> tuple[Aws, Caller, Machines]:
    from operations import versions

    aws, caller = _open(args)
    return aws, caller, versions.open_machines(aws, caller.account)


def _status(args: argparse.Namespace) -> int:
    from operations import runs

    _, _, machines = _open_machines(args)
    _print(runs.read(machines, runs.find(machines, args.run)), args.output)
    return OK


def _watch(args: argparse.Namespace) -> int:
    from operations import runs

    _, _, machines = _open_machines(args)
    json_wanted = args.output == "json"
    return _follow(machines, runs.find(machines, args.run), say if json_wanted else print, record=json_wanted)


def _runs(args: argparse.Namespace) -> int:
    from operations import runs

    if args.status == "INTERRUPTED":
        message = "no run on AWS is ever INTERRUPTED: Step Functions goes on by itself"
        raise UsageError(message)
    _, _, machines = _open_machines(args)
    found = runs.recent(machines, args.pipeline, limit=args.limit, status=args.status)
    if args.output == "json":
        write_json([entry.as_json() for entry in found])
    else:
        print("\n".join(entry.render() for entry in found) or "no runs")
    return OK


def _stop(args: argparse.Namespace) -> int:
    from operations import runs

    _, caller, machines = _open_machines(args)
    say(runs.stop(machines, caller, runs.find(machines, args.run)))
    return OK


def _redrive(args: argparse.Namespace) -> int:
    from operations import runs

    aws, _, machines = _open_machines(args)
    say(runs.redrive(aws, machines, runs.find(machines, args.run)))
    return OK


def _answer(args: argparse.Namespace) -> int:
    from operations import runs

    aws, caller, machines = _open_machines(args)
    arn = runs.find(machines, args.run)
    say(runs.answer(aws, caller, arn, args.step, approved=args.approved, comment=args.comment))
    return OK


def _logs(args: argparse.Namespace) -> int:
    from operations import logs, runs
    from pipelines import usecase

    if args.device:
        message = (
            "--device is for virtual devices; on AWS a device's log manager sends its logs to CloudWatch"
        )
        raise UsageError(message)
    aws, _, machines = _open_machines(args)
    run = runs.read(machines, runs.find(machines, args.run))
    for line in logs.read(aws, run, usecase.read(args.usecase_dir, run.usecase), args.step):
        print(line)
    return OK


def _follow(machines: Machines, arn: str, tell: Callable[[str], object], *, record: bool = False) -> int:
    """Show each step when it ends, until the run has ended; return the run's exit code."""
    import time

    from operations import runs
    from pipelines import progress

    shown: set[str] = set()
    while True:
        run = runs.read(machines, arn)
        for step in run.steps:
            if step.ended and step.id not in shown:
                shown.add(step.id)
                tell(progress.render_step(step, run.now))
        if not run.open:
            break
        time.sleep(LOOK_SECONDS)
    tell(run.render())
    if record:
        write_json(run.as_json())
    return OK if run.status == "SUCCEEDED" else FAILED


def _print(made: Any, form: str) -> None:  # noqa: ANN401 - whatever can be rendered
    if form == "json":
        write_json(made.as_json())
    else:
        print(made.render())


_SHARED: dict[str, Verb] = {
    "runs": _runs,
    "status": _status,
    "watch": _watch,
    "logs": _logs,
    "stop": _stop,
    "approve": _answer,
    "reject": _answer,
}
"""The verbs that act here and on AWS: name → what AWS's side does."""
