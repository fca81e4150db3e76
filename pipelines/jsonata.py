"""A first look at a JSONata text: is it balanced, do operands and operators alternate, what does it use?

Enough to catch every slip that an emitter makes; the local engine and Step Functions parse it in full.
Grammar: docs.jsonata.org/overview; Step Functions' own functions: docs.aws.amazon.com, "Transforming data".
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        "abs append assert average base64decode base64encode boolean ceil contains count decodeUrl "
        "decodeUrlComponent distinct each encodeUrl encodeUrlComponent error exists filter floor formatBase "
        "formatInteger formatNumber fromMillis hash join keys length lookup lowercase map match max "
        "merge millis min not now number pad parse parseInteger "
        "partition power random range reduce replace "
        "reverse round shuffle sift single sort split spread sqrt string substring substringAfter "
        "substringBefore sum "
        "toMillis trim type uppercase uuid zip",
    )
)
"""What JSONata and Step Functions define; $eval, which Step Functions lacks, is left out."""

STATES_FIELDS = frozenset({"input", "context", "result", "errorOutput"})

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>/\*.*?\*/)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)"""
    r"""|(?P<variable>\$\$|\$[A-Za-z0-9_]*)|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<sign>:=|!=|<=|>=|~>|\.\.|\*\*|[-+*/%=<>.,;:?&|@#^(){}\[\]])""",
    re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\n]|\\.)+/[im]*")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_WORDS = frozenset({"and", "or", "in"})
_SEPARATORS = frozenset({",", ";"})


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a text mentions: variables that it does not bind itself, and names read from `$states`."""

    variables: frozenset[str]
    states_fields: frozenset[str]
    problems: tuple[str, ...]


@functools.cache
def scan(code: str) -> Use:
    """Return what an expression uses, and what is wrong with it."""
    tokens, problems = _tokenise(code)
    problems += _check_brackets(tokens) + _check_order(tokens)
    bound = _bound(tokens)
    names = {text[1:] for group, text in tokens if group == "variable" and text not in ("$", "$$")}
    called = {
        text[1:] for (group, text), (_, after) in _pairs(tokens) if group == "variable" and after == "("
    }
    problems += [f"calls ${name}, which is no function" for name in sorted(called - FUNCTIONS - bound - {""})]
    fields = _states_fields(tokens)
    problems += [f"reads $states.{name}, which does not exist" for name in sorted(fields - STATES_FIELDS)]
    used = names - bound - called - {"states"}
    return Use(variables=frozenset(used), states_fields=fields, problems=tuple(problems))


Tokens = list[tuple[str, str]]


def _tokenise(code: str) -> tuple[Tokens, list[str]]:
    tokens: Tokens = []
    place = 0
    while place < len(code):
        operand = bool(tokens) and _ends_operand(*tokens[-1])
        regex = code[place] == "/" and code[place + 1 : place + 2] != "*" and not operand
        match = (_REGEX if regex else _TOKEN).match(code, place)
        if match is None:
            return tokens, [f"cannot be read from {code[place : place + 20]!r} on"]
        group = match.lastgroup or "text"
        if group not in ("space", "comment"):
            tokens.append((group, match[0]))
        place = match.end()
    return tokens, [] if tokens else ["is empty"]


def _pairs(tokens: Tokens) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return list(zip(tokens, [*tokens[1:], ("", "")], strict=False))


def _ends_operand(group: str, text: str) -> bool:
    if group == "sign":
        return text in _PAIRS
    return not (group == "name" and text in _WORDS)


def _check_brackets(tokens: Tokens) -> list[str]:
    waiting: list[str] = []
    for group, text in tokens:
        if group == "sign" and text in "([{":
            waiting.append(text)
        elif group == "sign" and text in _PAIRS and (not waiting or waiting.pop() != _PAIRS[text]):
            return [f"has a {text!r} too many"]
    return [f"has no end for its {waiting[-1]!r}"] if waiting else []


def _check_order(tokens: Tokens) -> list[str]:
    """Check that two operands have an operator between them, and that each operator has its operands."""
    after_operand = False
    for (group, text), (_, following) in _pairs(tokens):
        if group == "sign" and text in "([{":
            after_operand = False
        elif group == "sign" and text in _PAIRS:
            after_operand = True
        elif _is_operator(group, text, after_operand=after_operand):
            unary = text in ("-", "*", "%", "**")
            if not after_operand and not unary:
                return [f"has nothing before {text!r}"]
            if (following == "" and text != "*") or (following in _PAIRS and text not in (";", "*")):
                return [f"has nothing after {text!r}"]
            after_operand = not after_operand and text in ("*", "%", "**")
        elif after_operand and text != "function":
            return [f"has no operator before {text!r}"]
        else:
            after_operand = True
    return []


def _is_operator(group: str, text: str, *, after_operand: bool) -> bool:
    return group == "sign" or (group == "name" and text in _WORDS and after_operand)


def _bound(tokens: Tokens) -> frozenset[str]:
    """Return the variables that the text binds itself, with := or as a function's parameters."""
    bound = {
        text[1:] for (group, text), (_, after) in _pairs(tokens) if group == "variable" and after == ":="
    }
    for place, (_, text) in enumerate(tokens):
        if text == "function":
            for group, parameter in tokens[place + 2 :]:
                if parameter == ")":
                    break
                bound |= {parameter[1:]} if group == "variable" else set()
    return frozenset(bound)


def _states_fields(tokens: Tokens) -> frozenset[str]:
    found = set()
    for place, (group, text) in enumerate(tokens):
        if group == "variable" and text == "$states":
            after = tokens[place + 1 : place + 3]
            found.add(after[1][1] if len(after) == 2 and after[0][1] == "." else "")
    return frozenset(found)
