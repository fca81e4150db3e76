"""`edgepipe label`: a page on this machine on which a person labels the images that a run waits for."""

from __future__ import annotations

from contextlib import closing
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
    local.add_run(parser)
    parser.add_argument("step", metavar="STEP", nargs="?", help="the step that waits (default: the only one)")
    parser.add_argument("--port", metavar="PORT", type=int, default=0, help="(default: any that is free)")
    local.add_state_dir(parser)


def _label(args: argparse.Namespace) -> int:
    from local_cloud.labelling.page import Desk, Page
    from local_cloud.labelling.sheets import Sheets
    from local_cloud.store import Store

    if not 0 <= args.port <= 65_535:
        message = f"--port {args.port} is no port"
        raise UsageError(message)
    run = local.choose(args)
    with closing(Store(args.state_dir)) as store:
        sheets = Sheets(store)
        sheet = _choose_sheet(sheets, run, args.step)
        try:
            page = Page(Desk(sheets, sheet, args.state_dir), args.port)
        except OSError as error:
            message = f"cannot serve the page on port {args.port}: {error.strerror}"
            raise EnvironmentLacksError(message) from error
        with closing(page):
            say(f"{run.run_id}: step '{sheet.step}' waits for the labels of {page.desk.left()} images")
            say("open this page; Ctrl-C ends it, and what is kept stays kept:")
            print(page.url, flush=True)
            return _attend(page, run, sheet)


def _attend(page: Page, run: Run, sheet: Sheet) -> int:
    """Serve until there is nothing left to label."""
    import time

    while page.desk.left():
        if not page.desk.is_open():
            say(f"{run.run_id}: the labelling job of step '{sheet.step}' has ended without the rest")
            return FAILED
        time.sleep(_LOOK_SECONDS)
    how = f"`edgepipe resume {run.run_id}` takes them up" if run.status != "RUNNING" else "the run goes on"
    say(f"{run.run_id}: all images of step '{sheet.step}' are labelled; {how}")
    time.sleep(_LOOK_SECONDS)  # the page gets its last reply
    return OK


def _choose_sheet(sheets: Sheets, run: Run, step: str | None) -> Sheet:
    waiting = {sheet.step: sheet for sheet in sheets.open_sheets() if sheet.run == run.run_id}
    if step is None and len(waiting) == 1:
        return next(iter(waiting.values()))
    if step in waiting:
        return waiting[step]
    named = f"no step '{step}' that waits" if step else "no step that waits"
    there = f"; those that wait: {', '.join(sorted(waiting))}" if waiting else ""
    message = f"{run.run_id} ({run.status}) has {named} for labels now{there}"
    raise UsageError(message)
