"""The command line builds the parser of the verb that is asked for, and it is the same as among all."""

from __future__ import annotations

import argparse

import pytest

from pipelines import completion
from verbs import command
from verbs.verb import Help


def parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


WHOLE = parsers(command.parser_of(""))


@pytest.mark.parametrize("verb", [verb for verb in WHOLE if verb != "completion"])
def test_a_verb_alone_is_as_among_all(verb: str) -> None:
    alone = parsers(command.parser_of(verb))
    assert list(alone) == [verb]
    assert alone[verb].format_help() == WHOLE[verb].format_help()
    assert set(alone[verb]._defaults) == set(WHOLE[verb]._defaults)
    assert list(parsers(alone[verb])) == list(parsers(WHOLE[verb]))


@pytest.mark.parametrize("word", ["", "--help", "valdate", "completion", "-"])
def test_where_no_verb_is_asked_for_all_are_known(word: str) -> None:
    assert list(parsers(command.parser_of(word))) == list(WHOLE)
    assert [verb.name for verb in completion.read(command.parser_of(word))] == list(WHOLE)


@pytest.mark.parametrize(("columns", "width"), [("50", 48), ("none", 78), ("", 78)])
def test_help_is_as_wide_as_the_terminal(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    assert Help("edgepipe")._width == width
