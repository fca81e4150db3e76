"""The verbs that look at runs and devices on this machine; they start nothing and change nothing."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from verbs import local
from verbs.verb import FAILED, INTERRUPTED, OK, UsageError, add_output, add_verb, say, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local_cloud.fleet import DeviceView
    from local_cloud.logs import Follower
    from local_cloud.runs import Run
    from verbs.verb import Verbs

_LOOK_SECONDS = 0.2
_STATUSES = ("RUNNING", "INTERRUPTED", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    parser = add_verb(verbs, "runs", _runs, "list the runs on this machine, the newest first", spec=False)
    parser.add_argument("--status", choices=_STATUSES, help="only runs that stand so")
    parser.add_argument("--limit", metavar="N", type=_count, default=20, help="at most N (default: 20)")
    _add_shared(parser)
    _add_one(verbs, "status", _status, "show a run's steps: how they stand, what they wait for, what failed")
    _add_one(verbs, "watch", _watch, "follow a run until it ends; exits as the run does")
    _add_logs(verbs)
    words = "show the virtual devices with their components and health"
    parser = add_verb(verbs, "devices", _devices, words, spec=False)
    parser.add_argument("thing", metavar="THING", nargs="?", help="only this device, with its deployments")
    _add_shared(parser)


def _add_one(verbs: Verbs, name: str, verb: Any, words: str) -> None:  # noqa: ANN401 - a verb
    parser = add_verb(verbs, name, verb, words, spec=False)
    local.add_run(parser)
    _add_shared(parser)


def _add_logs(verbs: Verbs) -> None:
    parser = add_verb(
        verbs, "logs", _logs, "print what a run's handlers and jobs wrote, or a device", spec=False
    )
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help=f"{local.RUN_HELP} (default: last)"
    )
    parser.add_argument("step", metavar="STEP", nargs="?", help="only this step")
    words = "a device's log, or that of one of its components, instead"
    parser.add_argument("--device", metavar=("THING", "COMPONENT"), nargs="+", help=words)
    parser.add_argument("--follow", action="store_true", help="go on until the run ends, or Ctrl-C")
    _add_shared(parser)


def _add_shared(parser: argparse.ArgumentParser) -> None:
    local.add_state_dir(parser)
    add_output(parser)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        message = f"'{text}' is not a number from 1 up"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _runs(args: argparse.Namespace) -> int:
    from local_cloud.runs import survey

    readable, damaged = survey(args.state_dir)
    local.say_damaged(damaged)
    runs = [run for run in readable if args.status in (None, run.status)]
    shown = runs[: args.limit]
    if args.output == "json":
        write_json([run.row() for run in shown])
        return OK
    if not shown:
        say(f"no runs in {args.state_dir}{f' are {args.status}' if args.status else ''}")
        return OK
    head = ("RUN", "PIPELINE", "STATUS", "STARTED", "DURATION")
    sys.stdout.write(local.table(head, [_row(run) for run in shown]))
    if len(runs) > len(shown):
        say(f"{len(runs) - len(shown)} more; --limit {len(runs)} shows them")
    return OK


def _row(run: Run) -> tuple[str, ...]:
    started = run.started.astimezone()
    return (run.run_id, run.pipeline, run.status, f"{started:%Y-%m-%d %H:%M:%S}", local.duration(run.seconds))


def _status(args: argparse.Namespace) -> int:
    run = local.choose(args)
    if args.output == "json":
        write_json({**run.row(), **run.document, "status": run.status})
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _describe(run)))
    return OK


def _describe(run: Run) -> Iterator[str]:
    yield f"{run.run_id}  {run.status}  {local.duration(run.seconds)}"
    for name, step in run.document.get("steps", {}).items():
        yield _step_line(name, step)
        if step["waits_for"]:
            yield f"  {'':<12} waits for {step['waits_for']}"
    failure = run.document.get("failure")
    if failure:
        step = f"step '{failure['step']}' failed: " if failure["step"] else ""
        yield f"{failure['where']}: {step}{failure['error']}: {failure['message']}"
    if run.status == "INTERRUPTED":
        yield f"its process has ended; go on with: edgepipe resume {run.run_id}"
    elif run.status in ("FAILED", "TIMED_OUT", "ABORTED"):
        yield f"go on where it stood with: edgepipe resume {run.run_id}"


def _step_line(name: str, step: Any) -> str:  # noqa: ANN401 - a record's JSON
    from pipelines import results

    made = results.describe(step["kind"], step["outputs"]) if step["status"] == "SUCCEEDED" else ""
    tries = f"{step['attempts']} attempts  " if step["attempts"] > 1 and not made else ""
    seconds = f"{step['seconds']:>7.1f} s" if step["started"] else " " * 9
    return f"  {name:<12} {step['status']:<10} {seconds}  {tries}{made}".rstrip()


def _watch(args: argparse.Namespace) -> int:
    from local_cloud.runs import FINAL, find_run

    run = local.choose(args)
    printed: set[str] = set()
    while True:
        for name, step in run.document.get("steps", {}).items():
            _watch_step(name, step, printed)
        if run.status in FINAL or run.status == "INTERRUPTED":
            break
        time.sleep(_LOOK_SECONDS)
        run = find_run(args.state_dir, run.run_id) or run
    if args.output == "json":
        write_json({**run.row(), **run.document, "status": run.status})
    elif run.status == "SUCCEEDED":
        print(f"{run.status} in {local.duration(run.seconds)}")
    else:
        print("\n".join(line for line in _describe(run) if not line.startswith("  ")))
    return {"SUCCEEDED": OK, "ABORTED": INTERRUPTED}.get(run.status, FAILED)


def _watch_step(name: str, step: Any, printed: set[str]) -> None:  # noqa: ANN401 - a record's JSON
    """Say once that a step has ended, and once what it waits for."""
    if step["ended"] and name not in printed:
        printed.add(name)
        say(_step_line(name, step))
    wait = step["waits_for"]
    if wait and f"{name} {wait}" not in printed:
        printed.add(f"{name} {wait}")
        say(f"  {name:<12} waits for {wait}")


def _logs(args: argparse.Namespace) -> int:
    if args.device:
        return _print_files(args, [(" ".join(args.device), _device_log(args))], None)
    run = local.choose(args)
    steps = run.document.get("steps", {})
    if args.step and args.step not in steps:
        from pipelines.diagnostics import did_you_mean

        hint = did_you_mean(args.step, steps) or f"It has: {', '.join(steps)}."
        message = f"{run.run_id} has no step '{args.step}'. {hint}"
        raise UsageError(message)
    return _print_files(args, [], run)


def _device_log(args: argparse.Namespace) -> Path:
    from local_cloud.fleet import read_devices

    thing, *component = args.device
    if len(component) > 1:
        message = "--device takes a thing and at most one component"
        raise UsageError(message)
    device = _choose_device(read_devices(args.state_dir), thing)
    if not component:
        return device.logs / "greengrass.log"
    logs = {each.name: each.log for each in device.components}
    if component[0] not in logs:
        message = f"{thing} has no component '{component[0]}'; it has: {', '.join(logs) or 'none'}"
        raise UsageError(message)
    return logs[component[0]]


def _choose_device(devices: Sequence[DeviceView], thing: str) -> DeviceView:
    from pipelines.diagnostics import did_you_mean

    found = next((device for device in devices if device.thing == thing), None)
    if found is None:
        names = [device.thing for device in devices]
        hint = did_you_mean(thing, names, cutoff=0.5) or "`edgepipe devices` lists them."
        message = f"there is no device '{thing}'. {hint}"
        raise UsageError(message)
    return found


def _print_files(args: argparse.Namespace, files: list[tuple[str, Path]], run: Run | None) -> int:
    """Print logs, each line under its file's name where there are several, and go on if asked to."""
    from local_cloud.logs import Follower
    from local_cloud.runs import FINAL, find_run

    followers: dict[str, Follower] = {name: Follower(path) for name, path in files}
    handlers: dict[str, str] = {}
    while True:
        if run is not None:
            followers |= _new_files(args, run, followers)
            _print_handlers(args, run, handlers)
        for name, follower in followers.items():
            _print(args, name, follower.read())
        if not args.follow or (run and run.status in {*FINAL, "INTERRUPTED"}):
            return OK
        time.sleep(_LOOK_SECONDS)
        run = find_run(args.state_dir, run.run_id) if run else None


def _new_files(args: argparse.Namespace, run: Run, known: dict[str, Follower]) -> dict[str, Follower]:
    from local_cloud.logs import Follower, job_logs

    steps = {name: step for name, step in run.document.get("steps", {}).items() if args.step in (None, name)}
    found = {
        f"{name} {path.stem}": path for name, step in steps.items() for path in job_logs(args.state_dir, step)
    }
    return {name: Follower(path) for name, path in found.items() if name not in known}


def _print_handlers(args: argparse.Namespace, run: Run, printed: dict[str, str]) -> None:
    from local_cloud.logs import handler_log

    for name in run.document.get("steps", {}):
        if args.step in (None, name):
            text = handler_log(args.state_dir, run, name)
            _print(args, f"{name} handler", text[len(printed.get(name, "")) :])
            printed[name] = text


def _print(args: argparse.Namespace, source: str, text: str) -> None:
    import json

    for line in text.splitlines():
        print(json.dumps({"source": source, "line": line}) if args.output == "json" else f"{source}: {line}")
    sys.stdout.flush()


def _devices(args: argparse.Namespace) -> int:
    from local_cloud.fleet import read_devices

    devices = read_devices(args.state_dir)
    if args.thing:
        devices = (_choose_device(devices, args.thing),)
    if args.output == "json":
        write_json([_device_document(device) for device in devices])
    elif not devices:
        say(f"no devices in {args.state_dir}")
    else:
        head = ("DEVICE", "STATUS", "ARCHITECTURE", "COMPONENT", "VERSION", "STATE")
        sys.stdout.write(local.table(head, [row for device in devices for row in _device_rows(device)]))
        if args.thing:
            for made in devices[0].deployments:
                print(f"deployment {made.id} of {made.target}: {made.status} {made.reason}".rstrip())
    return OK


def _device_rows(device: DeviceView) -> Iterator[tuple[str, ...]]:
    first = (device.thing, device.status, device.architecture)
    if not device.components:
        yield (*first, "-", "", "")
    for component in device.components:
        yield (*first, component.name, component.version, component.state)
        first = ("", "", "")


def _device_document(device: DeviceView) -> dict[str, Any]:
    return {
        "thing": device.thing,
        "status": device.status,
        "architecture": device.architecture,
        "updated": device.updated.isoformat(),
        "groups": list(device.groups),
        "labels": dict(device.labels),
        "faults": list(device.faults),
        "components": {
            each.name: {"version": each.version, "state": each.state} for each in device.components
        },
        "deployments": [
            {"id": d.id, "target": d.target, "status": d.status, "reason": d.reason}
            for d in device.deployments
        ],
        "logs": str(device.logs),
    }
