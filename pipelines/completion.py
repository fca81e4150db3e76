"""Shell completion for a command line, written from its own parser."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb: its options with the words that each may be followed by, and the words that it takes itself.

    Where nothing is listed after an option, it takes a value of any kind; None stands for a switch.
    """

    name: str
    help: str
    options: Mapping[str, tuple[str, ...] | None]
    words: tuple[str, ...]


def read(parser: argparse.ArgumentParser) -> tuple[Verb, ...]:
    """Return what a parser's verbs take."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            shown = {each.dest: each.help or "" for each in action._get_subactions()}
            return tuple(_verb(name, shown.get(name, ""), sub) for name, sub in action.choices.items())
    return ()


def render(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for bash, zsh or fish; each says in its first lines how to load it."""
    return "".join(f"{line}\n" for line in SHELLS[shell](parser.prog, read(parser)))


def _verb(name: str, words: str, parser: argparse.ArgumentParser) -> Verb:
    actions = parser._actions
    return Verb(
        name=name,
        help=words,
        options={option: _values(action) for action in actions for option in action.option_strings},
        words=tuple(
            str(word) for action in actions if not action.option_strings for word in action.choices or ()
        ),
    )


def _values(action: argparse.Action) -> tuple[str, ...] | None:
    return None if action.nargs == 0 else tuple(str(word) for word in action.choices or ())


def _bash(program: str, verbs: Sequence[Verb]) -> Iterator[str]:
    yield f'# Put this into ~/.bashrc: eval "$({program} completion bash)"'
    yield from _function(program, verbs)
    yield f"complete -o filenames -F _{program} {program}"


def _zsh(program: str, verbs: Sequence[Verb]) -> Iterator[str]:
    yield f'# Put this into ~/.zshrc: eval "$({program} completion zsh)"'
    yield "autoload -U +X compinit bashcompinit && compinit && bashcompinit"
    yield from _function(program, verbs)
    yield f"complete -o filenames -F _{program} {program}"


def _function(program: str, verbs: Sequence[Verb]) -> Iterator[str]:
    yield f"_{program}() {{"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words='
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"    words={shlex.quote(' '.join([*(verb.name for verb in verbs), '--help', '--version']))}"
    yield "  else"
    yield '    case "${COMP_WORDS[1]} $before $word" in'
    for verb in verbs:
        yield from _cases(verb)
    yield "    esac"
    yield "  fi"
    yield '  if [ -n "$words" ]; then'
    yield '    COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "  else"
    yield '    COMPREPLY=($(compgen -f -- "$word"))'
    yield "  fi"
    yield "}"


def _cases(verb: Verb) -> Iterator[str]:
    for option, values in verb.options.items():
        if values is not None:
            yield f"      '{verb.name} {option} '*) words={shlex.quote(' '.join(values))} ;;"
    yield f"      '{verb.name} '*' -'*) words={shlex.quote(' '.join(verb.options))} ;;"
    if verb.words:
        yield f"      '{verb.name} '*) words={shlex.quote(' '.join(verb.words))} ;;"


def _fish(program: str, verbs: Sequence[Verb]) -> Iterator[str]:
    yield f"# Save this as ~/.config/fish/completions/{program}.fish"
    for verb in verbs:
        about = shlex.quote(verb.help)
        yield f"complete -c {program} -n __fish_use_subcommand -f -a {verb.name} -d {about}"
        inside = f"complete -c {program} -n '__fish_seen_subcommand_from {verb.name}'"
        for option, values in verb.options.items():
            flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            choice = f" -x -a {shlex.quote(' '.join(values))}" if values else ""
            yield f"{inside} {flag}{choice or ('' if values is None else ' -r')}"
        if verb.words:
            yield f"{inside} -f -a {shlex.quote(' '.join(verb.words))}"


SHELLS: Mapping[str, Callable[[str, Sequence[Verb]], Iterator[str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
