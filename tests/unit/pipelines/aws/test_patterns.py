from __future__ import annotations

import pytest

from pipelines.aws.patterns import matches, translate

TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


@pytest.mark.parametrize(
    ("pattern", "text", "good"),
    [
        ("[a-z]+", "abc", True),
        ("[a-z]+", "abc\n", False),
        ("^[a-z]+$", "abc\n", False),
        ("[a-z]+|[0-9]+", "a1", False),
        (r"\d+", "٣", False),  # Java's \d is ASCII
        (r"\w+", "é", False),
        (r"[\p{Alnum}\-]+", "aZ9-", True),
        (r"[\p{Alnum}\-]+", "é", False),
        (TAG, "Prüfung 3/é_x", True),
        (TAG, "a\u2003b", True),
        (TAG, "a\tb", False),
        (TAG, "50%", False),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, text: str, good: bool) -> None:
    assert matches(pattern, text) is good


@pytest.mark.parametrize("pattern", [r"[\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF]*", r"\p{Lu}+", "["])
def test_a_pattern_that_cannot_be_read_refuses_nothing(pattern: str) -> None:
    assert translate(pattern) is None
    assert matches(pattern, "anything")
