"""JSONata as Step Functions speaks it: `{% %}` templates, AWS's own functions, undefined is an error.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
Expressions are compiled once and pooled, because a compiled one serves one thread at a time. A hash of
anything but a string is refused: AWS does not say how it would be spelt out.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import random
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from jsonata import Jsonata
from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.parser import Parser
from jsonata.utils import Utils

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Json: TypeAlias = Any
"""None, bool, int, float, str, list[Json] or dict[str, Json]; never changed once made."""
Template: TypeAlias = Any
"""Json in which a string `{% … %}` has become an Expression."""

TIME_LIMIT_MS, DEPTH_LIMIT = 10_000, 500
MAX_RANGE = 100_000
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_PATH = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_WORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})
"""Names that JSONata reads as something else."""


class EvaluationError(Exception):
    """An expression that cannot be compiled, threw, or gave no JSON value."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """The text between `{%` and `%}`."""

    code: str
    path: tuple[str, ...] = ()
    """Names where the text is nothing but `$variable.name.name`, as most are."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a static look at an expression tells."""

    states_fields: frozenset[str]
    """The names read directly from `$states`, such as `input`."""
    variables: frozenset[str]
    """Every `$name` mentioned, functions included."""


class Draws(Protocol):
    """Where an evaluation takes what differs from one time to the next."""

    def __call__(self, kind: str, make: Callable[[], Json]) -> Json:
        """Return this visit's next value of `kind`; `make` gives a fresh one."""


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """What an expression can see."""

    variables: Mapping[str, Json]
    states: Mapping[str, Json]
    draws: Draws
    now: Callable[[], float]
    """Epoch seconds."""


def parse(value: Json) -> Template:
    """Return `value` with its `{% … %}` strings compiled; raises EvaluationError naming a broken one."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= 4:
        return _expression(value[2:-2].strip())
    if isinstance(value, dict):
        return {key: parse(item) for key, item in value.items()}
    if isinstance(value, list):
        return [parse(item) for item in value]
    return value


def expressions(template: Template) -> Iterator[Expression]:
    """Yield every expression in a template."""
    if isinstance(template, Expression):
        yield template
    elif isinstance(template, dict | list):
        for item in template.values() if isinstance(template, dict) else template:
            yield from expressions(item)


def read_use(expression: Expression) -> Use:
    """Return what an expression mentions, without evaluating it."""
    symbols = list(_symbols(_compile(expression.code).ast))
    fields = {name for symbol in symbols if (name := _states_field(symbol))}
    variables = {str(symbol.value) for symbol in symbols if symbol.type == "variable" and symbol.value}
    return Use(states_fields=frozenset(fields), variables=frozenset(variables))


def render(template: Template, bindings: Bindings) -> Json:
    """Return a template's value; raises EvaluationError."""
    if isinstance(template, Expression):
        return evaluate(template, bindings)
    if isinstance(template, dict):
        return {key: render(item, bindings) for key, item in template.items()}
    if isinstance(template, list):
        return [render(item, bindings) for item in template]
    return template


def evaluate(expression: Expression, bindings: Bindings) -> Json:
    """Return an expression's value as plain JSON of its own; raises EvaluationError."""
    try:
        found = _walk(expression.path, bindings)
        return _plain(_compute(expression.code, bindings) if found is None else found)
    except EvaluationError as error:
        message = f"The JSONata expression '{expression.code}' {error}"
        raise EvaluationError(message) from None
    except Exception as error:  # jsonata-python lets Python's own errors through: any of them is the text's
        message = f"The JSONata expression '{expression.code}' threw an error during evaluation. {error}"
        raise EvaluationError(message) from error


def _walk(path: tuple[str, ...], bindings: Bindings) -> Json | None:
    """Return what a path leads to, or None where JSONata has to say: at nothing, a null or an array."""
    first, *names = path or ("",)
    value: Json = bindings.states if first == "states" else bindings.variables.get(first)
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str | int | float | dict) else None


def _compute(code: str, bindings: Bindings) -> Json:
    compiled = _take(code)
    Jsonata.CURRENT.jsonata = compiled
    compiled.environment.set_runtime_bounds(TIME_LIMIT_MS, DEPTH_LIMIT)
    value = compiled.evaluate(None, _frame(bindings))
    # One that threw is not kept: jsonata-python leaves its depth counter where it was.
    _POOL.setdefault(code, []).append(compiled)
    return value


_POOL: dict[str, list[Jsonata]] = {}


def _expression(code: str) -> Expression:
    try:
        _POOL.setdefault(code, []).append(_compile(code))
    except JException as error:
        message = f"The JSONata expression '{code}' does not parse: {error}"
        raise EvaluationError(message) from None
    expression = Expression(code=code, path=_path(code))
    if "eval" in read_use(expression).variables:
        message = f"The JSONata expression '{code}' uses $eval, which Step Functions lacks: use $parse"
        raise EvaluationError(message)
    return expression


def _path(code: str) -> tuple[str, ...]:
    names = tuple(code[1:].split(".")) if _PATH.fullmatch(code) else ()
    return () if _WORDS & set(names) else names


def _take(code: str) -> Jsonata:
    try:
        return _POOL.setdefault(code, []).pop()
    except IndexError:
        return _compile(code)


def _compile(code: str) -> Jsonata:
    compiled = Jsonata(code)
    compiled.set_output_convert_nulls(False)
    for name, function in _PURE.items():
        compiled.register_lambda(name, function)
    return compiled


def _frame(bindings: Bindings) -> dict[str, Json]:
    frame: dict[str, Json] = {name: Jsonata.JLambda(call) for name, call in _drawing(bindings).items()}
    for name, value in bindings.variables.items():
        frame[name] = Utils.NULL_VALUE if value is None else value
    frame["states"] = bindings.states
    return frame


def _drawing(bindings: Bindings) -> dict[str, Callable[..., Json]]:
    """Return the functions whose result is not fixed by their arguments."""
    draws = bindings.draws

    @functools.cache  # one evaluation sees one time, as JSONata has it
    def millis() -> int:
        return int(bindings.now() * 1000)

    def now(picture: str | None = None, timezone: str | None = None) -> Json:
        return Functions.datetime_from_millis(millis(), picture, timezone)

    def draw(*seed: float) -> float:
        if seed:
            return random.Random(seed[0]).random()  # noqa: S311 - the language's $random is no secret
        return float(draws("random", random.random))

    def shuffle(items: list[Json]) -> list[Json]:
        order = draws("shuffle", lambda: random.sample(range(len(items)), len(items)))
        return [items[position] for position in order]

    def unique() -> Json:
        return draws("uuid", lambda: str(uuid.uuid4()))

    return {"millis": millis, "now": now, "random": draw, "shuffle": shuffle, "uuid": unique}


def _plain(value: Json) -> Json:
    """Return JSONata's value as plain JSON; nothing of it is shared with the engine's own data."""
    if value is None:
        message = "returned nothing (undefined)."
        raise EvaluationError(message)
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict):
        return {key: _element(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_element(item) for item in value]
    message = "returned an unsupported result type."
    raise EvaluationError(message)


def _element(value: Json) -> Json:
    # Inside an object or array None is a null of the input's; only a whole result can be undefined.
    return None if value is None else _plain(value)


def _partition(items: list[Json], size: int) -> list[list[Json]] | None:
    step = int(size)
    _require(step > 0, "$partition needs a size above 0")
    # Nothing partitions into undefined and a $range of one is that number: measured on AWS (sfnx 3.1.0).
    return [list(items[start : start + step]) for start in range(0, len(items), step)] or None


def _range(first: int, last: int, step: int) -> Json:
    _require(all(float(number).is_integer() for number in (first, last, step)), "$range needs whole numbers")
    _require(step != 0, "$range needs a step other than 0")
    numbers = range(int(first), int(last) + (1 if step > 0 else -1), int(step))
    _require(len(numbers) <= MAX_RANGE, f"$range gives at most {MAX_RANGE} numbers")
    return list(numbers) if len(numbers) > 1 else next(iter(numbers), None)


def _hash(data: str, algorithm: str) -> str:
    _require(isinstance(data, str), "$hash takes a string: use $string() first")
    _require(algorithm in ALGORITHMS, f"$hash knows {', '.join(ALGORITHMS)}")
    return hashlib.new(ALGORITHMS[algorithm], data.encode(), usedforsecurity=False).hexdigest()


def _parse(text: str) -> Json:
    value = json.loads(text)
    return Utils.NULL_VALUE if value is None else value


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


_PURE: dict[str, Callable[..., Json]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "parse": _parse,
}


def _symbols(root: object) -> Iterator[Parser.Symbol]:
    """Yield every symbol of a syntax tree once; parent references make it a graph."""
    seen: set[int] = set()
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list | tuple):
            open_nodes.extend(node)
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            yield node
            open_nodes.extend(value for name, value in vars(node).items() if name != "_outer_instance")


def _states_field(symbol: Parser.Symbol) -> str | None:
    steps = symbol.steps if symbol.type == "path" else None
    if not steps or len(steps) < 2 or steps[0].type != "variable" or steps[0].value != "states":
        return None
    return str(steps[1].value) if steps[1].type == "name" else None
