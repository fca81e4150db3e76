"""Protocol buffers' text format, as far as `config.pbtxt` files use it.

https://protobuf.dev/reference/protobuf/textformat-spec/ — without extensions, `Any` and angle brackets.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import FallbackError

MAX_DEPTH = 20
TOKENS = re.compile(
    r"""(?P<skip>[\s,;]+|\#[^\n]*)
      |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      |(?P<word>[A-Za-z_]\w*)
      |(?P<mark>[{}\[\]:])""",
    re.VERBOSE,
)


class TextFormatError(FallbackError):
    """The text is not in the format; the message names the line."""


Scalar = str | int | float | bool
Message = dict[str, list["Scalar | Message"]]
"""Each field with all its values in order; a field that is given once has one."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """One piece of the text and the line it stands on."""

    kind: str
    text: str
    line: int


def parse_text(text: str) -> Message:
    """Read a message; TextFormatError names the line that cannot be read."""
    return _Reader(list(tokenize(text))).read_message(end="", depth=0)


def tokenize(text: str) -> Iterator[Token]:
    """Split the text, leaving out spaces, separators and comments."""
    position, line = 0, 1
    while position < len(text):
        match = TOKENS.match(text, position)
        if match is None:
            message = f"line {line}: {text[position]!r} is not expected here"
            raise TextFormatError(message)
        if match.lastgroup != "skip":
            yield Token(kind=str(match.lastgroup), text=match.group(), line=line)
        line += match.group().count("\n")
        position = match.end()


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def read_message(self, *, end: str, depth: int) -> Message:
        message: Message = {}
        while not self._at(end):
            name = self._take("word", "a field name").text
            message.setdefault(name, []).extend(self._read_values(depth + 1))
        self._next += 1
        return message

    def _read_values(self, depth: int) -> list[Scalar | Message]:
        if depth > MAX_DEPTH:
            self._fail(f"at most {MAX_DEPTH} levels of nesting")
        colon = self._skip(":")
        if not self._skip("["):
            return [self._read_value(depth, scalar=colon)]
        values: list[Scalar | Message] = []
        while not self._skip("]"):
            values.append(self._read_value(depth, scalar=True))
        return values

    def _read_value(self, depth: int, *, scalar: bool) -> Scalar | Message:
        if self._skip("{"):
            return self.read_message(end="}", depth=depth)
        if not scalar:
            self._fail("':' or '{'")
        return parse_scalar(self._take("", "a value"))

    def _at(self, end: str) -> bool:
        if self._next < len(self._tokens):
            return bool(end) and self._tokens[self._next].text == end
        if end:
            self._fail(repr(end))
        return True

    def _skip(self, mark: str) -> bool:
        here = self._next < len(self._tokens) and self._tokens[self._next]
        if not here or here.kind != "mark" or here.text != mark:
            return False
        self._next += 1
        return True

    def _take(self, kind: str, wanted: str) -> Token:
        if self._next >= len(self._tokens) or self._tokens[self._next].kind not in (
            (kind,) if kind else ("string", "number", "word")
        ):
            self._fail(wanted)
        self._next += 1
        return self._tokens[self._next - 1]

    def _fail(self, wanted: str) -> None:
        found = self._tokens[self._next] if self._next < len(self._tokens) else None
        where = f"line {found.line}: found {found.text!r}" if found else "the text ends"
        message = f"{where} where {wanted} is expected"
        raise TextFormatError(message)


def parse_scalar(token: Token) -> Scalar:
    """Read a string, number, truth value or enumeration name."""
    if token.kind == "word":
        return {"true": True, "false": False}.get(token.text, token.text)
    try:
        value = ast.literal_eval(token.text.lstrip("+") if token.kind == "number" else token.text)
    except (ValueError, SyntaxError) as error:
        message = f"line {token.line}: {token.text!r} is no value"
        raise TextFormatError(message) from error
    return value if isinstance(value, str | int | float) else str(value)
