"""Conditions, lists, waves, retries, defaults, approvals and own steps."""

from __future__ import annotations

from tests.bad_specs.case import Case, add, edit, text

_TRAIN = "    script: train.py\n"
_OWN = "  own: {uses: custom, handler: own:run, takes: [manifest], gives: labels"
_DRIFT = "triggers: [{{drift: {{metric: recall, over: 1h{}}}}}]\n"

CASES: tuple[Case, ...] = (
    edit(
        "a condition with one equals sign",
        _TRAIN,
        f'{_TRAIN}    when: "${{{{ params.epochs }}}} = 3"\n',
        "P050 17:11",
    ),
    edit("a condition that refers to nothing", _TRAIN, f"{_TRAIN}    when: \"'a' == 'b'\"\n", "P050 17:11"),
    edit(
        "a condition without its right side",
        _TRAIN,
        f'{_TRAIN}    when: "${{{{ params.epochs }}}} >"\n',
        "P050 17:11",
    ),
    edit(
        "a condition with an open bracket",
        _TRAIN,
        f'{_TRAIN}    when: "(${{{{ params.epochs }}}} > 3"\n',
        "P050 17:11",
    ),
    edit(
        "a condition on what does not exist",
        _TRAIN,
        f'{_TRAIN}    when: "${{{{ params.epoch }}}} > 3"\n',
        "P027 17:12",
    ),
    edit("a condition that is a list", _TRAIN, f"{_TRAIN}    when: [a]\n", "P012 17:11"),
    edit(
        "a condition that calls a function",
        _TRAIN,
        f'{_TRAIN}    when: "$eval(${{{{ run.id }}}})"\n',
        "P050 17:11",
    ),
    edit("an item without a list", "{epochs:", '{depth: "${{ item }}", epochs:', "P052 19:31"),
    edit("a list that is a number", _TRAIN, f"{_TRAIN}    for_each: 3\n", "P013 17:15"),
    edit("a list that is empty", _TRAIN, f"{_TRAIN}    for_each: []\n", "P013 17:15", "P052 22:3"),
    edit(
        "a list from a number",
        _TRAIN,
        f'{_TRAIN}    for_each: "${{{{ params.epochs }}}}"\n',
        "P052 17:15",
        "P028 17:16",
        "P052 22:3",
    ),
    edit("many at once without a list", _TRAIN, f"{_TRAIN}    max_parallel: 3\n", "P052 17:19"),
    edit("a retry below zero", _TRAIN, f"{_TRAIN}    retry: {{attempts: -1}}\n", "P013 17:23"),
    edit("a retry that is a number", _TRAIN, f"{_TRAIN}    retry: 3\n", "P012 17:12"),
    edit(
        "a retry of an unknown error",
        _TRAIN,
        f"{_TRAIN}    retry: {{attempts: 2, on: [JobFailed]}}\n",
        "P013 17:31",
    ),
    edit(
        "a retry that slows down backwards",
        _TRAIN,
        f"{_TRAIN}    retry: {{attempts: 2, backoff: 0.5}}\n",
        "P013 17:35",
    ),
    edit(
        "a heartbeat beyond the timeout",
        _TRAIN,
        f"{_TRAIN}    timeout: 1h\n    heartbeat: 2h\n",
        "P053 18:16",
    ),
    edit(
        "a heartbeat of one call",
        "    method: folders",
        "    heartbeat: 5m\n    method: folders",
        "P053 9:16",
    ),
    edit("a heartbeat of seconds", _TRAIN, f"{_TRAIN}    heartbeat: 10s\n", "P053 17:16"),
    edit("a default that no step has", "steps:\n", "defaults: {message: hello}\nsteps:\n", "P010 7:12"),
    edit(
        "a default that does not exist",
        "steps:\n",
        "defaults: {instanze: ml.m5.large}\nsteps:\n",
        "P010 7:12",
    ),
    text(
        "a default that no step of the pipeline has",
        "version: 1\nname: x\nusecase: y\ndefaults: {instance: ml.m5.large}\nsteps:\n"
        '  label: {method: folders, dataset: "s3://bucket/x/", labels: [a, b]}\n',
        "P055 4:12",
    ),
    edit("a default without a unit", "steps:\n", "defaults: {timeout: 30}\nsteps:\n", "P013 7:21"),
    edit(
        "targets and waves",
        "thing/station-1]",
        "thing/station-1]\n    waves: [{name: a, targets: [thing/b]}]",
        "P054 27:5",
    ),
    edit("neither targets nor waves", "    targets: [thing/station-1]\n", "", "P054 25:3"),
    edit(
        "a wave without a name", "targets: [thing/station-1]", "waves: [{targets: [thing/a]}]", "P011 26:13"
    ),
    edit("a wave without targets", "targets: [thing/station-1]", "waves: [{name: a}]", "P011 26:13"),
    edit(
        "two waves of one name",
        "targets: [thing/station-1]",
        "waves: [{name: a, targets: [thing/a]}, {name: a, targets: [thing/b]}]",
        "P056 26:51",
    ),
    edit(
        "a check that does not exist",
        "targets: [thing/station-1]",
        "waves: [{name: a, targets: [thing/a], verify: {model_ready: true}}]",
        "P010 26:52",
    ),
    edit(
        "an error rate in percent",
        "targets: [thing/station-1]",
        "waves: [{name: a, targets: [thing/a], verify: {max_error_rate: 10}}]",
        "P013 26:68",
    ),
    edit(
        "a rate by the hour",
        "targets: [thing/station-1]",
        "waves: [{name: a, targets: [thing/a], rate: 50/hour}]",
        "P013 26:49",
    ),
    edit(
        "a limit without failed",
        "targets: [thing/station-1]",
        'waves: [{name: a, targets: [thing/a], abort_if: "10%"}]',
        "P013 26:53",
    ),
    edit(
        "a bake without a unit",
        "targets: [thing/station-1]",
        "waves: [{name: a, targets: [thing/a], bake: 10}]",
        "P013 26:49",
    ),
    add("an approval without its question", "  approve: {timeout: 3d}\n", "P011 28:12"),
    add("an approval that waits without end", '  approve: {message: "Go?", timeout: 400d}\n', "P033 28:38"),
    add("an own step without its code", "  own: {uses: custom}\n", "P011 28:8"),
    add("an own step whose code is no name", "  own: {uses: custom, handler: run.py}\n", "P013 28:32"),
    add(
        "an own step that gives an unknown type",
        "  own: {uses: custom, handler: own:run, gives: label}\n",
        "P013 28:48",
    ),
    add("an own output of an unknown type", _OWN + ", outputs: {count: int}}\n", "P013 28:92"),
    *(
        add(f"a schedule of {name}", f"triggers: [{{schedule: {written}}}]\n", "P013 28:23")
        for name, written in (
            ("five fields", "cron(0 6 * * *)"),
            ("seven fields", "cron(0 0 6 ? * MON *)"),
            ("both sorts of days", "cron(0 6 1 * MON *)"),
            ("no sort of days", "cron(0 6 * * * *)"),
            ("one days", "rate(1 days)"),
            ("two day", "rate(2 day)"),
            ("seconds", "rate(30 seconds)"),
        )
    ),
    add("a drift with two bounds", _DRIFT.format(", below: 0.5, above: 0.9"), "P054 28:20"),
    add("a drift without a bound", _DRIFT.format(""), "P054 28:20"),
    edit("a default that no timeout may be", "steps:", "defaults: {timeout: 2s}\nsteps:", "P055 7:21"),
    edit(
        "a labeling job that takes too long",
        "method: folders",
        "method: ground-truth\n    timeout: 31d",
        "P073 10:14",
    ),
    edit("a default that refers to text", "default: 30", 'default: "${{ run.id }}"', "P028 6:37"),
    add("a reference in a step of no kind", '  own: {uses: mine, a: "${{ run.id }}"}\n', "P020 28:15"),
    edit(
        "an address for a compiled model",
        "{layout: triton}",
        '{inputs: {compiled_model: "s3://bucket/m.onnx"}}',
        "P051 23:38",
    ),
    edit(
        "an artifact without its address",
        _TRAIN,
        f"{_TRAIN}    inputs: {{manifest: {{digest: x}}}}\n",
        "P051 17:24",
        "P013 17:33",
    ),
)
