"""Where moto's interpreter or sfnx.testing differ from the expected, and the AWS page that settles it."""

from __future__ import annotations

from dataclasses import dataclass

GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"
ERRORS = f"{GUIDE}/concepts-error-handling.html"
JSONATA = f"{GUIDE}/transforming-data.html"
QUOTAS = f"{GUIDE}/service-quotas.html"


@dataclass(frozen=True)
class Disagreement:
    """What one runner makes of some cases, and why it is not what AWS does."""

    runner: str
    cases: tuple[str, ...]
    why: str
    page: str


MOTO = (
    Disagreement(
        "moto",
        ("Assign and Output see the old variables",),
        "Output is evaluated with the variables as they were when the state was entered; moto assigns first.",
        f"{GUIDE}/workflow-variables.html",
    ),
    Disagreement(
        "moto",
        ("StartTime",),
        "The context object's times are ISO 8601 in UTC, with Z; moto's have an offset.",
        f"{GUIDE}/input-output-contextobject.html",
    ),
    Disagreement(
        "moto",
        ("nothing holds", "an unmatched choice is caught outside"),
        "No rule and no default is States.NoChoiceMatched, which can be caught; moto says States.Runtime.",
        ERRORS,
    ),
    Disagreement(
        "moto",
        (
            "no boolean",
            "Fail wants a string",
            "Wait for words",
            "Wait for less",
            "no timeout at all",
            "MaxConcurrency of words",
        ),
        "A value of the wrong type or range is States.QueryEvaluationError; moto has others.",
        JSONATA,
    ),
    Disagreement(
        "moto",
        ("Wait: no time", "Wait: no zone"),
        "A constant Timestamp that is none: moto refuses the definition, we fail the state; neither runs it.",
        f"{GUIDE}/state-wait.html",
    ),
    Disagreement(
        "moto",
        ("too much data is beyond States.ALL",),
        "States.DataLimitExceeded is a terminal error that States.ALL does not catch.",
        ERRORS,
    ),
    Disagreement(
        "moto",
        ("a query error", "a query error in a branch"),
        "States.QueryEvaluationError can be caught, also when it comes from a state's own Output.",
        ERRORS,
    ),
    Disagreement(
        "moto",
        ("a query error is a failed task",),
        "States.TaskFailed matches every known error name but States.Timeout.",
        ERRORS,
    ),
    Disagreement(
        "moto",
        ("ItemSelector", "ItemSelector renames"),
        "In JSONata an ItemSelector reads $states.context.Map.Item; moto's has no such context there.",
        f"{GUIDE}/input-output-itemselector.html",
    ),
    Disagreement(
        "moto",
        ("$range is bounded",),
        "Ten million numbers are far beyond the 256 KiB a payload may have; we stop at 100,000.",
        QUOTAS,
    ),
)

SFNX = (
    Disagreement(
        "sfnx",
        ("a runaway expression ends", "division by zero"),
        "An expression that fails fails its state; sfnx.testing lets Python's error through.",
        JSONATA,
    ),
    Disagreement(
        "sfnx",
        ("Fail wants a string", "MaxConcurrency of words", "no timeout at all"),
        "A value of the wrong type is States.QueryEvaluationError; sfnx.testing goes on.",
        JSONATA,
    ),
    Disagreement(
        "sfnx",
        (
            "$range is bounded",
            "a result too large",
            "an output too large",
            "too much data is beyond States.ALL",
            "too much data can be named",
        ),
        "A payload has at most 256 KiB; sfnx.testing does not count. (The bound of $range is ours.)",
        QUOTAS,
    ),
    Disagreement(
        "sfnx",
        ("Map.Item inside", "the index in a nested Map"),
        "The context object has Map.Item in each iteration; sfnx.testing has it in the ItemSelector only.",
        f"{GUIDE}/input-output-contextobject.html",
    ),
    Disagreement(
        "sfnx",
        ("Execution.Name", "StateMachine.Name"),
        "The names are those given; sfnx.testing has constants of its own.",
        f"{GUIDE}/input-output-contextobject.html",
    ),
    Disagreement(
        "sfnx",
        ("a query error is a failed task",),
        "States.TaskFailed matches every known error name but States.Timeout. (sfnx reports that it measured "
        "otherwise: the page counts here, and a definition that must catch both names both.)",
        ERRORS,
    ),
)
DISAGREEMENTS: tuple[Disagreement, ...] = MOTO + SFNX
