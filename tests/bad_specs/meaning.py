"""Specs of the right shape that do not make sense."""

from __future__ import annotations

from tests.bad_specs.case import GOOD, Case, add, edit, text

_HEAD = "version: 1\nname: cookies\nusecase: cookie-factory\n"
_QUOTED = "'" + '"' * 1200 + "'"
_LONG = "'" + '"' * 1300 + "'"
_VALUES = ", ".join(f"k{number}: {_QUOTED}" for number in range(90))
_TRAIN = (
    '{uses: train, script: a.py, framework: {name: sklearn, version: "1"}, '
    f"hyperparameters: {{{_VALUES}}}}}"
)
_LARGE = GOOD[: GOOD.index("  train:")] + "".join(f"  train-{number}: {_TRAIN}\n" for number in range(8))

CASES: tuple[Case, ...] = (
    edit("a kind one letter off", "  transform:", "  transfrom:", "P020 12:3"),
    add("a kind that does not exist", "  serve-it: {uses: server}\n", "P020 28:20"),
    add("a name that is no kind, and no uses", "  my-step: {}\n", "P020 28:3"),
    edit(
        "a need that no step has", "script: train.py", "needs: [labels]\n    script: train.py", "P021 16:13"
    ),
    edit(
        "an input from a step that is not there",
        "script: train.py",
        "inputs: {manifest: transfrom}\n    script: train.py",
        "P021 16:24",
    ),
    edit(
        "a step that needs itself", "script: train.py", "needs: [train]\n    script: train.py", "P022 16:13"
    ),
    edit(
        "an input from itself",
        "script: train.py",
        "inputs: {manifest: train}\n    script: train.py",
        "P022 16:24",
    ),
    edit("a reference to itself", "{epochs:", '{url: "${{ steps.train.model.uri }}", epochs:', "P022 19:29"),
    edit(
        "two steps that wait for each other",
        "    method: folders",
        "    needs: [train]\n    method: folders",
        "P023 8:3",
    ),
    edit(
        "a ring through a reference",
        "    method: folders",
        "    needs: [package]\n    method: folders",
        "P023 8:3",
    ),
    text(
        "nothing gives what a step takes",
        GOOD[: GOOD.index("  label:")] + GOOD[GOOD.index("  transform:") :],
        "P024 8:3",
    ),
    edit("nothing gives a component", "  publish: {component: com.example.cookies}\n", "", "P024 24:3"),
    add(
        "two steps give what another takes",
        '  other: {uses: train, script: a.py, framework: {name: sklearn, version: "1.4-2"}}\n',
        "P025 21:3",
    ),
    edit(
        "an input that the step does not take",
        "script: train.py",
        "inputs: {labels: label}\n    script: train.py",
        "P026 16:14",
    ),
    edit(
        "an input one letter off",
        "script: train.py",
        "inputs: {manifests: transform}\n    script: train.py",
        "P026 16:14",
    ),
    edit(
        "an input from a step that gives another",
        "script: train.py",
        "inputs: {manifest: label}\n    script: train.py",
        "P026 16:24",
    ),
    text(
        "an input from a step that gives nothing",
        GOOD.replace("script: train.py", "inputs: {manifest: own}\n    script: train.py")
        + "  own: {uses: custom, handler: own:run}\n",
        "P026 16:24",
    ),
    edit("a parameter one letter off", "params.epochs", "params.epoch", "P027 19:32"),
    edit("a scope that does not exist", "params.epochs", "param.epochs", "P027 19:32"),
    edit("a use case's field that does not exist", "usecase.data_bucket", "usecase.bucket", "P027 5:41"),
    edit("a run's field that does not exist", "params.epochs", "run.number", "P027 19:32"),
    edit("a step's output that does not exist", "params.epochs", "steps.transform.model", "P027 19:32"),
    edit("a step that is not there", "params.epochs", "steps.preprocess.manifest", "P027 19:32"),
    edit(
        "a field of an artifact that does not exist",
        "params.epochs",
        "steps.transform.manifest.url",
        "P027 19:32",
    ),
    edit("a field of a parameter", "params.epochs", "params.epochs.value", "P027 19:32"),
    edit("a default that names another parameter", "usecase.data_bucket", "params.epochs", "P027 5:41"),
    edit(
        "a number where text must stand",
        "instance: ml.m5.xlarge",
        'instance: "${{ params.epochs }}"',
        "P028 18:16",
    ),
    edit(
        "text where a number must stand", "instance: ml.m5.xlarge", 'volume_gb: "${{ run.id }}"', "P028 18:17"
    ),
    edit(
        "a number inside text", "instance: ml.m5.xlarge", 'volume_gb: "1${{ params.epochs }}"', "P028 18:16"
    ),
    edit(
        "an artifact where text must stand",
        "${{ params.dataset }}",
        "${{ steps.train.model }}",
        "P023 8:3",
        "P028 10:14",
    ),
    edit("a reference in a name", "name: cookies", 'name: "${{ params.epochs }}"', "P029 2:7"),
    edit("a reference in a list of labels", "[normal, anomaly]", '[normal, "${{ run.id }}"]', "P029 11:22"),
    edit("a reference as a key", "{epochs:", '{"${{ run.id }}":', "P029 19:23"),
    edit("a reference without an end", '"${{ params.epochs }}"', '"${{ params.epochs }"', "P029 19:31"),
    edit("a reference without a field", "params.epochs", "params", "P029 19:32"),
    edit("a reference to nothing", "${{ params.epochs }}", "${{ }}", "P029 19:32"),
    edit("a sum in a reference", "params.epochs", "params.epochs + 1", "P029 19:32"),
    edit("a reference of GitHub's", "${{ params.epochs }}", "${{ env['HOME'] }}", "P029 19:32"),
    add(
        "names that share a variable",
        "  a-b: {uses: package}\n  a_b: {uses: package}\n",
        "P025 24:3",
        "P030 29:3",
    ),
    edit(
        "on for a boolean",
        "epochs: {type: integer, default: 30, minimum: 1}",
        "epochs: {type: boolean, default: on}",
        "P031 6:36",
    ),
    edit("a date for a number", "default: 30", "default: 2024-01-01", "P031 6:36"),
    edit("a default below the minimum", "default: 30", "default: 0", "P031 6:36"),
    edit("a default above the maximum", "minimum: 1", "maximum: 10", "P031 6:36"),
    edit("a fraction for a whole number", "default: 30", "default: 0.5", "P031 6:36"),
    edit(
        "a default that is no address", '"s3://${{ usecase.data_bucket }}/cookies/"', "cookies/", "P031 5:35"
    ),
    edit("a range that is empty", "minimum: 1", "minimum: 40, maximum: 10", "P031 6:3", "P031 6:36"),
    edit("a range of text", "type: s3uri,", "type: s3uri, minimum: 1,", "P031 5:3"),
    edit("parts that are less than all", "test: 0.2", "test: 0.1", "P032 13:12"),
    edit("parts that are more than all", "test: 0.2", "test: 0.3", "P032 13:12"),
    edit(
        "a timeout beyond Lambda's",
        "    method: folders",
        "    timeout: 1h\n    method: folders",
        "P033 9:14",
    ),
    edit(
        "a timeout of more than a year",
        "script: train.py",
        "timeout: 366d\n    script: train.py",
        "P033 16:14",
    ),
    edit(
        "a run time of more than the timeout",
        "script: train.py",
        "timeout: 1h\n    max_runtime: 2h\n    script: train.py",
        "P033 17:18",
    ),
    edit(
        "a run time beyond SageMaker's",
        "script: train.py",
        "timeout: 60d\n    max_runtime: 29d\n    script: train.py",
        "P033 17:18",
    ),
    edit("JSONata in a text", "[normal, anomaly]", '["{% $x %}", anomaly]', "P034 11:14"),
    edit("half of JSONata's brackets", "[normal, anomaly]", '["%}", anomaly]', "P034 11:14"),
    edit("a marker in a text", "[normal, anomaly]", '["${train_function_arn}", anomaly]', "P034 11:14"),
    edit("a marker as a key", "{epochs:", '{"${usecase_account}": 1, epochs:', "P034 19:23"),
    edit("a script that is not there", "script: train.py", "script: missing.py", "P035 16:13"),
    edit("a component's short name one letter off", "{local_server:", "{local_sever:", "P036 27:18"),
    edit("a component's name with two dots", "{local_server:", '{"a..b":', "P036 27:18"),
    edit("a component of AWS's", "com.example.cookies", "aws.greengrass.Nucleus", "P036 24:24"),
    edit("a component of edgepipe's", "com.example.cookies", "com.edgepipe.LocalServer", "P036 24:24"),
    text("a definition beyond Step Functions' limit", _LARGE, "P040 1:1"),
    text(
        "a new line in a name that ends well", f'{_HEAD}steps:\n  "label\\n": {{}}\n', "P013 5:3", "P020 5:3"
    ),
    edit("an instance type one letter off", "ml.m5.xlarge", "ml.m5.xlage", "P070 18:15"),
    edit("an instance type of EC2's", "ml.m5.xlarge", "ml.u7in-16tb.224xlarge", "P070 18:15"),
    edit("a hyperparameter that is too long", "{epochs:", f"{{layers: {_LONG}, epochs:", "P071 19:31"),
    edit(
        "too many hyperparameters",
        "{epochs:",
        f"{{{', '.join(f'k{n}: {n}' for n in range(100))}, epochs:",
        "P072 19:22",
    ),
    edit(
        "a version with too great a number",
        "example.cookies",
        "example.cookies, version: 1.0.1000000",
        "P073 24:54",
    ),
    edit("an address that is too long", "${{ params.dataset }}", f"s3://bucket/{'a/' * 600}", "P073 10:14"),
)
