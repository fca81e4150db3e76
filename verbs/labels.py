"""`edgepipe label`: a page on this machine on which a person labels the images that a run waits for."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verbs import local
from verbs.verb import FAILED, OK, EnvironmentLacksError, UsageError, add_verb, say

if TYPE_CHECKING:
    import argparse

    from local_cloud.labelling.page import Page
    from local_cloud.labelling.sheets import Sheet, Sheets
    from local_cloud.runs import Run
    from verbs.verb import Verbs

_LOOK_SECONDS = 0.3


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    words = "label the images that a run waits for, on a page on this machine"
    parser = add_verb(verbs, "label", _label, words, spec=False)
    parser.description = (
        "Print the address of a page on 127.0.0.1 that shows the images of a label step with "
        "`method: ground-truth`, one after another, and keeps what a person says. It ends with the last "
        "image; what is kept by then stays kept. Another process may drive the run, or none."
    )
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help=f"{local.RUN_HELP} (default: last)"
    )
    parser.add_argument("step", metavar="STEP", nargs="?", help="the step that waits (default: the only one)")
    words = "a labelling job that no run made, by its name, such as one of `local serve`"
    parser.add_argument("--job", metavar="NAME", help=words)
    parser.add_argument("--port", metavar="PORT", type=int, default=0, help="(default: any that is free)")
    local.add_state_dir(parser)


def _label(args: argparse.Namespace) -> int:
    from local_cloud.labelling.page import Desk, Page
    from local_cloud.labelling.sheets import Sheets
    from local_cloud.store import FILE_NAME, Store

    if not 0 <= args.port <= 65_535:
        message = f"--port {args.port} is no port"
        raise UsageError(message)
    if not (args.state_dir / FILE_NAME).exists():
        message = f"there is no run and no job in {args.state_dir}"
        raise UsageError(message)
    with closing(Store(args.state_dir)) as store:
        sheets = Sheets(store)
        task = _named_job(sheets, args.job) if args.job else _of_run(sheets, local.choose(args), args.step)
        try:
            page = Page(Desk(sheets, task.sheet, args.state_dir), args.port)
        except OSError as error:
            message = f"cannot serve the page on port {args.port}: {error.strerror}"
            raise EnvironmentLacksError(message) from error
        with closing(page):
            say(f"{task.name} waits for the labels of {page.desk.left()} images")
            say("open this page; Ctrl-C ends it, and what is kept stays kept:")
            print(page.url, flush=True)
            return _attend(page, task)


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A sheet to label, what messages call it, and what becomes of it once it is labelled."""

    sheet: Sheet
    name: str
    then: str


def _attend(page: Page, task: _Task) -> int:
    """Serve until there is nothing left to label."""
    while page.desk.left():
        if not page.desk.is_open():
            say(f"{task.name}: its labelling job has ended without the rest")
            return FAILED
        time.sleep(_LOOK_SECONDS)
    say(f"{task.name}: all images are labelled; {task.then}")
    time.sleep(_LOOK_SECONDS)  # the page gets its last reply
    return OK


def _named_job(sheets: Sheets, name: str) -> _Task:
    waiting = {sheet.job: sheet for sheet in sheets.open_sheets()}
    if name in waiting:
        return _Task(sheet=waiting[name], name=f"labelling job {name}", then="the job takes them up")
    there = f"; those that wait: {', '.join(sorted(waiting))}" if waiting else ""
    message = f"no labelling job '{name}' waits for labels now{there}"
    raise UsageError(message)


def _of_run(sheets: Sheets, run: Run, step: str | None) -> _Task:
    waiting = {sheet.step: sheet for sheet in sheets.open_sheets() if sheet.run == run.run_id}
    chosen = next(iter(waiting)) if step is None and len(waiting) == 1 else step
    if chosen not in waiting:
        named = f"no step '{step}' that waits" if step else "not one step that waits"
        there = f"; those that wait: {', '.join(sorted(waiting))}" if waiting else ""
        message = f"{run.run_id} ({run.status}) has {named} for labels now{there}"
        raise UsageError(message)
    then = f"`edgepipe resume {run.run_id}` takes them up" if run.status != "RUNNING" else "the run goes on"
    return _Task(sheet=waiting[chosen], name=f"step '{chosen}' of {run.run_id}", then=then)
