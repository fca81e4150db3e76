"""AWS's patterns, which are Java's, as Python's `re` understands them."""

from __future__ import annotations

import functools
import re

_SEPARATORS = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode's category Z."""

_LETTERS_AND_DIGITS = r"\p{L}\p{Z}\p{N}_"
_TRANSLATIONS = {_LETTERS_AND_DIGITS: rf"\w{_SEPARATORS}", r"\p{Alnum}": "a-zA-Z0-9"}


@functools.cache
def translate(pattern: str) -> re.Pattern[str] | None:
    r"""Return a pattern that does the same in Python, or None for one that cannot be checked here.

    Java's `\d` and `\w` are ASCII, Unicode's properties are not: Python has one flag for a whole pattern.
    """
    written = pattern
    for java, ours in _TRANSLATIONS.items():
        written = written.replace(java, ours)
    flags = re.NOFLAG if _LETTERS_AND_DIGITS in pattern else re.ASCII
    try:
        return re.compile(written, flags)
    except re.error:
        return None


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole text matches; a pattern that cannot be checked refuses nothing."""
    found = translate(pattern)
    return found is None or found.fullmatch(text) is not None
