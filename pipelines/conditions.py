"""`when:`: a condition over parameters and outputs, read into a tree that knows its JSONata and its type.

or    := and ("or" and)*          and   := not ("and" not)*         not := "not" not | comparison
comparison := value (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") value)?
value := reference | text | number | true | false | "[" value ("," value)* "]" | "(" or ")"
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines import references
from pipelines.references import Part, Ref

TypeOf = Callable[[Ref], str]
"""Returns the JSON type of what a reference names, `any` where only a run knows it."""

Write = Callable[[Ref], str]
"""Returns the JSONata that a reference stands for."""

MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<text>'[^'\\]*'|"[^"\\]*")"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_]\w*))""",
    re.ASCII,
)
_ORDERED = ("<", "<=", ">", ">=")
_NUMBERS = frozenset({"integer", "number"})


class ConditionError(Exception):
    """A condition that cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A part of a condition: what it is written as, its type, and whether it refers to anything."""

    code: str
    type: str
    refers: bool = False
    entries: tuple[Term, ...] = ()


def read(parts: tuple[Part, ...], type_of: TypeOf, write: Write) -> Term:
    """Return the condition that a text is. Raises ConditionError."""
    reader = _Reader(list(_tokens(parts)), type_of, write)
    found = reader.read_or(0)
    if reader.left:
        message = f"'{_show(reader.left[0])}' is more than one condition"
        raise ConditionError(message)
    return _boolean(found)


Token = tuple[str, str] | Ref


def _tokens(parts: tuple[Part, ...]) -> Iterator[Token]:
    for part in parts:
        if isinstance(part, Ref):
            yield part
            continue
        place = 0
        while part[place:].strip():
            match = _TOKEN.match(part, place)
            if match is None or match.lastgroup is None:
                message = f"'{part[place:].strip()[:20]}' cannot be read"
                raise ConditionError(message)
            yield match.lastgroup, match[match.lastgroup]
            place = match.end()


def _show(token: Token) -> str:
    return token.text if isinstance(token, Ref) else token[1]


def _boolean(term: Term) -> Term:
    if term.type not in ("boolean", "any"):
        message = f"a condition is true or false, and this is of type {term.type}"
        raise ConditionError(message)
    return term


class _Reader:
    """Reads the tokens by the grammar above, one function a line."""

    def __init__(self, tokens: list[Token], type_of: TypeOf, write: Write) -> None:
        self.left = tokens
        self._type_of = type_of
        self._write = write

    def read_or(self, depth: int) -> Term:
        return self._read_chain("or", self._read_and, depth)

    def _read_and(self, depth: int) -> Term:
        return self._read_chain("and", self._read_not, depth)

    def _read_chain(self, word: str, read_part: Callable[[int], Term], depth: int) -> Term:
        found = read_part(depth)
        while self._take("word", word):
            other = _boolean(read_part(depth))
            found = _join(f" {word} ", _boolean(found), other)
        return found

    def _read_not(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            message = f"the condition is nested deeper than {MAX_DEPTH} levels"
            raise ConditionError(message)
        if self._take("word", "not"):
            inner = _boolean(self._read_not(depth + 1))
            return Term(code=f"$not({inner.code})", type="boolean", refers=inner.refers)
        return self._read_comparison(depth)

    def _read_comparison(self, depth: int) -> Term:
        left = self._read_value(depth)
        for sign in ("==", "!=", *_ORDERED):
            if self._take("sign", sign):
                right = self._read_value(depth)
                _check_comparable(left, right, sign)
                return _join({"==": "=", "!=": "!="}.get(sign, sign), left, right)
        if self._take("word", "in"):
            right = self._read_value(depth)
            _check_member(left, right)
            return _join(" in ", left, right)
        return left

    def _read_value(self, depth: int) -> Term:
        if not self.left:
            message = "the condition has no end"
            raise ConditionError(message)
        token = self.left.pop(0)
        if isinstance(token, Ref):
            return Term(code=self._write(token), type=self._type_of(token), refers=True)
        match token:
            case ("sign", "("):
                found = self.read_or(depth + 1)
                self._need(")")
                return Term(code=f"({found.code})", type=found.type, refers=found.refers)
            case ("sign", "["):
                return self._read_list(depth + 1)
            case ("number", text):
                return Term(code=text, type="number")
            case ("text", text):
                return Term(code=json.dumps(text[1:-1], ensure_ascii=False), type="string")
            case ("word", "true" | "false"):
                return Term(code=token[1], type="boolean")
        message = f"'{_show(token)}' cannot stand there; texts are written 'in quotes'"
        raise ConditionError(message)

    def _read_list(self, depth: int) -> Term:
        entries = [self._read_value(depth)]
        while self._take("sign", ","):
            entries.append(self._read_value(depth))
        self._need("]")
        code = ",".join(each.code for each in entries)
        refers = any(each.refers for each in entries)
        return Term(code=f"[{code}]", type="array", refers=refers, entries=tuple(entries))

    def _take(self, group: str, text: str) -> bool:
        if self.left and self.left[0] == (group, text):
            del self.left[0]
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take("sign", sign):
            message = f"'{sign}' is missing"
            raise ConditionError(message)


def _join(sign: str, left: Term, right: Term) -> Term:
    return Term(code=f"{left.code}{sign}{right.code}", type="boolean", refers=left.refers or right.refers)


def _check_comparable(left: Term, right: Term, sign: str) -> None:
    one, other = _family(left), _family(right)
    if "any" in (one, other):
        return
    if one != other:
        message = f"a value of type {left.type} is compared with one of type {right.type}"
        raise ConditionError(message)
    if sign in _ORDERED and one not in ("number", "string"):
        message = f"values of type {left.type} have no order for '{sign}'"
        raise ConditionError(message)


def _check_member(left: Term, right: Term) -> None:
    if right.type not in ("array", "any"):
        message = f"'in' is followed by a list such as ['a', 'b'], not by a value of type {right.type}"
        raise ConditionError(message)
    for entry in right.entries:
        _check_comparable(left, entry, "==")


def _family(term: Term) -> str:
    return "number" if term.type in _NUMBERS else term.type


def parts_of(text: object, parts: tuple[Part, ...] | None) -> tuple[Part, ...]:
    """Return a condition's parts: those of its slot, or its plain text."""
    if parts is not None:
        return parts
    return ("true" if text else "false",) if isinstance(text, bool) else (str(text),)


def names_steps(parts: tuple[Part, ...]) -> frozenset[str]:
    """Return the steps that a condition looks at."""
    return frozenset(
        part.path[1] for part in parts if isinstance(part, references.Ref) and part.path[:1] == ("steps",)
    )
