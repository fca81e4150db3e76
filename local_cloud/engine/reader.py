"""A definition's JSON text to frozen data; whatever cannot be run faithfully is refused here.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html and the pages of
each state. Only JSONata, the resources that `resources` knows and inline Maps are run.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

from local_cloud.engine import resources, rules
from local_cloud.engine.definition import (
    ABSENT,
    Catcher,
    Choice,
    Exit,
    Fail,
    Machine,
    Map,
    Parallel,
    Pass,
    Retrier,
    Rule,
    Scope,
    State,
    Succeed,
    Task,
    Wait,
)
from local_cloud.engine.errors import ALL, InvalidDefinitionError
from local_cloud.engine.expression import Expression, Json
from local_cloud.engine.fields import EVERYWHERE, WITH_ERROR, WITH_RESULT, Fields, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_DEFINITION = 1_048_576
MAX_NAME = 80
MAX_RETRY_DELAY = 31_622_400
_VARIABLE = re.compile(r"[^\W\d]\w{0,79}")


@functools.lru_cache(maxsize=128)
def read(text: str) -> Machine:
    """Return the machine; raises InvalidDefinitionError with every problem found."""
    if len(text.encode()) > MAX_DEFINITION:
        raise InvalidDefinitionError([f"the definition is larger than {MAX_DEFINITION} bytes"])
    problems: list[str] = []
    try:
        machine = _machine(Fields(json.loads(text, object_pairs_hook=_unique), "state machine"), problems)
    except (ProblemError, json.JSONDecodeError) as error:
        raise InvalidDefinitionError([*problems, str(error)]) from None
    # A state that was refused is in no scope: rules about the whole would find it missing.
    problems += [] if problems else rules.check(machine)
    if problems:
        raise InvalidDefinitionError(problems)
    return machine


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        message = (
            f"field '{next(name for name in names if names.count(name) > 1)}' appears twice in one object"
        )
        raise ProblemError(message)
    return found


def _machine(fields: Fields, problems: list[str]) -> Machine:
    fields.take("Comment")
    _query_language(fields, default="JSONPath")
    if fields.text("Version", "1.0") != "1.0":
        fields.refuse("Version", "must be '1.0'")
    timeout = fields.whole("TimeoutSeconds", None, least=1)
    scope = _scope(fields, problems)
    fields.finish(frozenset({"StartAt", "States", "QueryLanguage", "TimeoutSeconds", "Comment", "Version"}))
    return Machine(scope=scope, timeout=timeout)


def _query_language(fields: Fields, default: str) -> None:
    if fields.text("QueryLanguage", default) != "JSONata":
        fields.refuse("QueryLanguage", "must be 'JSONata': this engine does not run JSONPath")


def _scope(fields: Fields, problems: list[str]) -> Scope:
    start_at = fields.text("StartAt")
    states: dict[str, State] = {}
    for name, value in fields.mapping("States").items():
        try:
            states[name] = _state(name, value, problems)
        except ProblemError as problem:
            problems.append(str(problem))
    return Scope(start_at=start_at, states=states)


def _state(name: str, value: Json, problems: list[str]) -> State:
    fields = Fields(value, f"state '{name}'")
    if not 0 < len(name) <= MAX_NAME:
        fields.refuse(None, f"a state's name has 1 to {MAX_NAME} characters")
    kind = fields.text("Type")
    fields.take("Comment")
    _query_language(fields, default="JSONata")
    if kind not in _KINDS:
        fields.refuse("Type", f"'{kind}' is not one of {', '.join(_KINDS)}")
    read_kind, known = _KINDS[kind]
    state = read_kind(name, fields, problems)
    fields.finish(known | {"Type", "Comment", "QueryLanguage"})
    return state


def _pass(name: str, fields: Fields, _: list[str]) -> State:
    return Pass(name=name, exit=_exit(fields))


def _succeed(name: str, fields: Fields, _: list[str]) -> State:
    return Succeed(name=name, exit=Exit(next=None, output=fields.template("Output")))


def _fail(name: str, fields: Fields, _: list[str]) -> State:
    return Fail(name=name, error=fields.expression("Error"), cause=fields.expression("Cause"))


def _wait(name: str, fields: Fields, _: list[str]) -> State:
    seconds, timestamp = fields.seconds("Seconds", least=0), fields.expression("Timestamp")
    if (seconds is ABSENT) == (timestamp is ABSENT):
        fields.refuse("Seconds", "needs exactly one of Seconds and Timestamp")
    return Wait(name=name, exit=_exit(fields), seconds=seconds, timestamp=timestamp)


def _choice(name: str, fields: Fields, _: list[str]) -> State:
    found = fields.items("Choices")
    if not found:
        fields.refuse("Choices", "needs at least one rule")
    read_rules = [_rule(value, f"{fields.where}, Choices[{index}]") for index, value in enumerate(found)]
    default = fields.take("Default")
    if default is not ABSENT and not isinstance(default, str):
        fields.refuse("Default", "must be a state's name")
    exit_ = _hand_on(fields, None if default is ABSENT else default)
    return Choice(name=name, rules=tuple(read_rules), default=None if default is ABSENT else exit_)


def _rule(value: Json, where: str) -> Rule:
    fields = Fields(value, where)
    fields.take("Comment")
    condition = fields.template("Condition")
    if not isinstance(condition, bool | Expression):
        fields.refuse("Condition", "must be a `{% … %}` expression or a boolean")
    rule = Rule(condition=condition, exit=_hand_on(fields, fields.text("Next")))
    fields.finish(frozenset({"Condition", "Next", "Assign", "Output"}))
    return rule


def _task(name: str, fields: Fields, _: list[str]) -> State:
    resource = _resource(fields)
    timeout, heartbeat = (fields.seconds(f"{kind}Seconds", least=1) for kind in ("Timeout", "Heartbeat"))
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        fields.refuse("HeartbeatSeconds", "must be less than TimeoutSeconds")
    return Task(
        name=name,
        exit=_exit(fields, WITH_RESULT),
        resource=resource.arn,
        service=resource.service,
        waits_for_token=resource.pattern == resources.TOKEN,
        waits_for_child=resource.pattern == resources.SYNC,
        role=_role(fields),
        arguments=_arguments(fields, resource),
        timeout=timeout,
        heartbeat=heartbeat,
        retry=_retry(fields),
        catch=_catch(fields),
    )


def _resource(fields: Fields) -> resources.Resource:
    try:
        return resources.parse(fields.text("Resource"))
    except resources.UnknownResourceError as error:
        fields.refuse("Resource", str(error))


def _arguments(fields: Fields, resource: resources.Resource) -> Json:
    arguments = fields.template("Arguments")
    if arguments is ABSENT:
        arguments = {}
    if not isinstance(arguments, dict | Expression):
        fields.refuse("Arguments", "must be an object or a `{% … %}` expression")
    for problem in resources.problems(resource, arguments):
        fields.refuse("Arguments", problem)
    return arguments


def _role(fields: Fields) -> Json:
    """Read `Credentials`, which has nothing but a RoleArn."""
    value = fields.take("Credentials")
    if value is ABSENT:
        return ABSENT
    credentials = Fields(value, f"{fields.where}, Credentials")
    role = credentials.expression("RoleArn")
    if role is ABSENT:
        credentials.refuse("RoleArn", "is missing")
    if isinstance(role, str) and not resources.is_role(role):
        credentials.refuse("RoleArn", f"'{role}' is not the ARN of an IAM role")
    credentials.finish(frozenset({"RoleArn"}))
    return role


def _parallel(name: str, fields: Fields, problems: list[str]) -> State:
    found = fields.items("Branches")
    if not found:
        fields.refuse("Branches", "needs at least one branch")
    where = fields.where
    return Parallel(
        name=name,
        exit=_exit(fields, WITH_RESULT),
        branches=tuple(
            _inner(value, f"{where}, Branches[{index}]", problems) for index, value in enumerate(found)
        ),
        arguments=fields.template("Arguments"),
        retry=_retry(fields),
        catch=_catch(fields),
    )


def _map(name: str, fields: Fields, problems: list[str]) -> State:
    items = fields.template("Items")
    if not (items is ABSENT or isinstance(items, list | Expression)):
        fields.refuse("Items", "must be an array or an expression that gives one")
    concurrency = fields.seconds("MaxConcurrency", least=0)
    return Map(
        name=name,
        exit=_exit(fields, WITH_RESULT),
        processor=_inner(fields.need("ItemProcessor"), f"{fields.where}, ItemProcessor", problems),
        items=items,
        selector=fields.template("ItemSelector"),
        max_concurrency=0 if concurrency is ABSENT else concurrency,
        retry=_retry(fields),
        catch=_catch(fields),
    )


def _inner(value: Json, where: str, problems: list[str]) -> Scope:
    fields = Fields(value, where)
    fields.take("Comment")
    config = Fields(fields.mapping("ProcessorConfig"), f"{where}, ProcessorConfig")
    if config.text("Mode", "INLINE") != "INLINE":
        config.refuse("Mode", "must be INLINE: Distributed Map is not run here")
    config.finish(frozenset({"Mode"}))
    scope = _scope(fields, problems)
    fields.finish(frozenset({"StartAt", "States", "ProcessorConfig"}))
    return scope


def _exit(fields: Fields, sees: frozenset[str] = EVERYWHERE) -> Exit:
    """Read Next or End, Assign and Output."""
    following, end = fields.take("Next"), fields.take("End")
    if (following is ABSENT) == (end is ABSENT) or end not in (ABSENT, True):
        fields.refuse("Next", "needs exactly one of a Next state and End true")
    if following is not ABSENT and not isinstance(following, str):
        fields.refuse("Next", "must be a state's name")
    return _hand_on(fields, None if following is ABSENT else following, sees)


def _hand_on(fields: Fields, following: str | None, sees: frozenset[str] = EVERYWHERE) -> Exit:
    assign = fields.template("Assign", sees)
    if not (assign is ABSENT or isinstance(assign, dict)):
        fields.refuse("Assign", "must be an object")
    for name in {} if assign is ABSENT else assign:
        if not _VARIABLE.fullmatch(name) or name == "states":
            fields.refuse("Assign", f"'{name}' cannot name a variable")
    return Exit(
        next=following, assign={} if assign is ABSENT else assign, output=fields.template("Output", sees)
    )


def _retry(fields: Fields) -> tuple[Retrier, ...]:
    found = [Fields(value, f"{fields.where}, Retry[{n}]") for n, value in enumerate(fields.items("Retry"))]
    retriers = tuple(_retrier(each) for each in found)
    _check_wildcards(fields, "Retry", [retrier.errors for retrier in retriers])
    return retriers


def _retrier(fields: Fields) -> Retrier:
    fields.take("Comment")
    interval = fields.whole("IntervalSeconds", 1, least=1)
    max_delay = fields.whole("MaxDelaySeconds", None, least=1, most=MAX_RETRY_DELAY)
    if max_delay is not None and max_delay <= interval:
        fields.refuse("MaxDelaySeconds", "must be greater than IntervalSeconds")
    jitter = fields.text("JitterStrategy", "NONE")
    if jitter not in ("FULL", "NONE"):
        fields.refuse("JitterStrategy", "must be FULL or NONE")
    retrier = Retrier(
        errors=_errors(fields),
        interval=interval,
        max_attempts=fields.whole("MaxAttempts", 3, least=0),
        backoff_rate=fields.number("BackoffRate", 2.0, least=1),
        max_delay=max_delay,
        jitter="FULL" if jitter == "FULL" else "NONE",
    )
    fields.finish(
        frozenset({"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds"})
        | {"JitterStrategy"}
    )
    return retrier


def _catch(fields: Fields) -> tuple[Catcher, ...]:
    found = [Fields(value, f"{fields.where}, Catch[{n}]") for n, value in enumerate(fields.items("Catch"))]
    catchers = tuple(_catcher(each) for each in found)
    _check_wildcards(fields, "Catch", [catcher.errors for catcher in catchers])
    return catchers


def _catcher(fields: Fields) -> Catcher:
    fields.take("Comment")
    catcher = Catcher(errors=_errors(fields), exit=_hand_on(fields, fields.text("Next"), WITH_ERROR))
    fields.finish(frozenset({"ErrorEquals", "Next", "Assign", "Output"}))
    return catcher


def _errors(fields: Fields) -> tuple[str, ...]:
    names = fields.items("ErrorEquals")
    if not names or not all(isinstance(name, str) for name in names):
        fields.refuse("ErrorEquals", "needs a non-empty array of error names")
    return tuple(names)


def _check_wildcards(fields: Fields, name: str, entries: Iterable[tuple[str, ...]]) -> None:
    listed = list(entries)
    for position, names in enumerate(listed):
        if ALL in names and (len(names) > 1 or position < len(listed) - 1):
            fields.refuse(name, f"{ALL} must stand alone and last")


_EXIT = frozenset({"Next", "End", "Assign", "Output"})
_GUARD = _EXIT | {"Retry", "Catch"}
_KINDS: dict[str, tuple[Callable[[str, Fields, list[str]], State], frozenset[str]]] = {
    "Pass": (_pass, _EXIT),
    "Task": (_task, _GUARD | {"Resource", "Arguments", "Credentials", "TimeoutSeconds", "HeartbeatSeconds"}),
    "Choice": (_choice, frozenset({"Choices", "Default", "Assign", "Output"})),
    "Wait": (_wait, _EXIT | {"Seconds", "Timestamp"}),
    "Succeed": (_succeed, frozenset({"Output"})),
    "Fail": (_fail, frozenset({"Error", "Cause"})),
    "Parallel": (_parallel, _GUARD | {"Branches", "Arguments"}),
    "Map": (_map, _GUARD | {"Items", "ItemProcessor", "ItemSelector", "MaxConcurrency"}),
}
