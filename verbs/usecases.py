"""The verbs about the platform and its use cases: deploy, doctor, usecase."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from verbs import aws
from verbs.verb import (
    ENVIRONMENT,
    FAILED,
    OK,
    EnvironmentLacksError,
    UsageError,
    Verbs,
    add_output,
    add_verb,
    readable,
    say,
    write_json,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from operations.doctor import Check
    from operations.stacks import Deployment
    from pipelines.machine import Machine
    from pipelines.usecase import UseCase


_ID = re.compile(r"[a-z][a-z0-9]*(-+[a-z0-9]+)*")
_ACCOUNT = re.compile(r"[0-9]{12}")


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    words = "deploy the platform into the orchestrator's account, by CDK"
    aws.add_options(add_verb(verbs, "deploy", aws.on_aws(_deploy), words, spec=False))
    words = "check credentials, accounts, trust, quotas and the platform"
    parser = add_verb(verbs, "doctor", aws.on_aws(_doctor), words, spec=False)
    parser.add_argument(
        "spec", metavar="SPEC", type=Path, nargs="?", help="check what this pipeline needs too"
    )
    add_output(parser)
    aws.add_options(parser)
    _add_usecase(Verbs(verbs.add("usecase", "write, register, check and list use cases"), "WHAT"))


def _add_usecase(verbs: Verbs) -> None:
    parser = add_verb(verbs, "init", aws.on_aws(_init), "write usecases/ID.yaml", spec=False)
    parser.add_argument("usecase", metavar="ID")
    parser.add_argument("--usecase-account", metavar="ID", required=True, help="its AWS account")
    parser.add_argument("--orchestrator-account", metavar="ID", required=True, help="the platform's account")
    parser.add_argument("--data-account", metavar="ID", help="the images' account, where it is another")
    aws.add_options(parser)
    words = "print or run what deploys a use case's stacks, and publish shared components"
    parser = add_verb(verbs, "register", aws.on_aws(_register), words, spec=False)
    parser.add_argument("usecase", metavar="ID")
    parser.add_argument("--deploy", action="store_true", help="run CDK, in each account with its profile")
    for account in ("usecase", "data"):
        words = f"the profile of the {account} account, for CDK (default: --profile)"
        parser.add_argument(f"--{account}-profile", metavar="NAME", help=words)
    aws.add_options(parser)
    parser = add_verb(verbs, "check", aws.on_aws(_check), "try a use case's roles and buckets", spec=False)
    parser.add_argument("usecase", metavar="ID")
    add_output(parser)
    aws.add_options(parser)
    parser = add_verb(verbs, "list", _list, "list the registered use cases", spec=False)
    parser.add_argument("--usecase-dir", metavar="DIR", type=Path, default=Path("usecases"))
    add_output(parser)


def _deploy(args: argparse.Namespace) -> int:
    from operations import session, stacks

    found = _registered(args.usecase_dir)
    stacks.find_cdk()
    settings = aws.settings_of(args)
    stacks.require_bootstrap(*session.open_orchestrator(settings, found[0], say))
    plan = stacks.Deployment(
        stacks=[stacks.ORCHESTRATOR],
        account=found[0].orchestrator.account,
        usecases=args.usecase_dir,
        settings=settings,
    )
    return OK if stacks.deploy(plan) == 0 else FAILED


def _doctor(args: argparse.Namespace) -> int:
    from operations import doctor, session

    machine, named = _read_spec(args.spec) if args.spec else (None, None)
    found = [each for each in _read_all(args.usecase_dir) if named in (None, each.id)]
    if named and not found:
        found = [_read(args.usecase_dir, named)]
    settings = aws.settings_of(args)
    there = session.connect(settings, region=found[0].orchestrator.region if found else None)
    visit = doctor.Visit(aws=there, settings=settings, usecases=found, machine=machine)
    return _report(doctor.examine(visit), args.output)


def _check(args: argparse.Namespace) -> int:
    from operations import doctor, session

    case = _read(args.usecase_dir, args.usecase)
    settings = aws.settings_of(args)
    here, _ = session.open_orchestrator(settings, case, say)
    visit = doctor.Visit(aws=here, settings=settings, usecases=[case])
    return _report(doctor.examine_usecase(visit, case), args.output)


def _report(checks: Iterable[Check], form: str) -> int:
    made = []
    for check in checks:
        made.append(check)
        if form == "text":
            print(check.render(), flush=True)
    if form == "json":
        write_json([vars(check) for check in made])
    return OK if all(check.ok for check in made) else ENVIRONMENT


def _read_spec(spec: Path) -> tuple[Machine, str]:
    from operations import source
    from pipelines import machine

    compiled = source.read_source(readable(spec)).compiled
    return machine.parse(compiled.definition), compiled.pipeline.usecase


def _init(args: argparse.Namespace) -> int:
    import secrets

    from pipelines import usecase

    _check_names(args)
    region = args.region or "us-east-1"
    case = usecase.draft(
        args.usecase,
        account=args.usecase_account,
        region=region,
        orchestrator=usecase.Orchestrator(account=args.orchestrator_account, region=region),
        external_id=f"edgepipe-{secrets.token_hex(16)}",
        data_account=args.data_account,
    )
    path = args.usecase_dir / f"{args.usecase}.yaml"
    text = usecase.render(case)
    usecase.parse(text, path=path.as_posix(), expected=args.usecase)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        message = f"{path} is there already: edit it, or remove it first"
        raise UsageError(message) from error
    print(path)
    say(f"next: look at its names, then `edgepipe usecase register {args.usecase}`")
    return OK


def _check_names(args: argparse.Namespace) -> None:
    """Refuse what no use case can be called, before a file is drafted. Raises UsageError."""
    if not _ID.fullmatch(args.usecase):
        message = f"'{args.usecase}' must be small letters, digits and - in between, beginning with a letter"
        raise UsageError(message)
    for option in ("usecase_account", "orchestrator_account", "data_account"):
        account = getattr(args, option)
        if account is not None and not _ACCOUNT.fullmatch(account):
            message = f"--{option.replace('_', '-')} '{account}' must be twelve digits"
            raise UsageError(message)


def _register(args: argparse.Namespace) -> int:
    """Print or run what makes the accounts' stacks, then bring in what every use case needs."""
    from operations import components, session, stacks
    from operations.errors import OperationError

    case = _read(args.usecase_dir, args.usecase)
    settings = aws.settings_of(args)
    profiles = stacks.Profiles(usecase=args.usecase_profile, data=args.data_profile)
    plans = list(stacks.plan_usecase(case, settings, profiles, args.usecase_dir))
    if args.deploy:
        _deploy_all(case, plans)
    else:
        for plan in plans:
            say(f"# {plan.stacks[0]}, with credentials of account {plan.account}:")
            print(plan.command())
    here, _ = session.open_orchestrator(settings, case, say)
    try:
        there = here.enter(case)
    except OperationError as error:
        message = f"the stacks of '{case.id}' are not there yet: run the commands above, then this one again"
        raise OperationError(message) from error
    print(components.provision(there, case).render())
    return OK


def _deploy_all(case: UseCase, plans: Sequence[Deployment]) -> None:
    """Run CDK in each account, once it is sure that all the credentials are of the right ones."""
    from operations import session, stacks
    from operations.errors import OperationError

    stacks.find_cdk()
    for plan in plans:
        there = session.check_account(
            plan.settings,
            account=plan.account,
            region=case.orchestrator.region if plan.stacks[0] == stacks.ORCHESTRATOR else case.region,
            what=plan.stacks[0],
            option=plan.option,
            say=say,
        )
        stacks.require_bootstrap(*there)
    for plan in plans:
        if stacks.deploy(plan):
            message = f"CDK could not deploy {plan.stacks[0]} into account {plan.account}: see above"
            raise OperationError(message)


def _list(args: argparse.Namespace) -> int:
    found = _read_all(args.usecase_dir)
    if args.output == "json":
        write_json([{**each.facts(), "orchestrator": each.orchestrator.account} for each in found])
    else:
        for each in found:
            data = f", images in {each.data.account}" if each.data else ""
            print(f"{each.id:<24} {each.account} {each.region}{data}")
    return OK


def _registered(folder: Path) -> list[UseCase]:
    found = _read_all(folder)
    if not found:
        message = f"no use case is registered in {folder}/: write one with `edgepipe usecase init ID`"
        raise EnvironmentLacksError(message)
    return found


def _read_all(folder: Path) -> list[UseCase]:
    from pipelines import usecase

    return [usecase.read(folder, name) for name in usecase.list_ids(folder)]


def _read(folder: Path, usecase_id: str) -> UseCase:
    from pipelines import usecase

    return usecase.read(folder, usecase_id)
