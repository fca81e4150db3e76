"""What must hold between the states of a definition: targets, reachability, names, variables.

Facts: state names are unique in the whole machine
(https://docs.aws.amazon.com/step-functions/latest/dg/workflow-states.html); an inner scope may not assign a
variable that an outer one assigns (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from local_cloud.engine.definition import Fail, Machine, Scope, State, exits, inner_scopes
from pipelines.diagnostics import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator


def check(machine: Machine) -> list[str]:
    """Return the problems of a machine, in the order of its states."""
    return [
        *_check_names(machine.scope),
        *(problem for scope in _scopes(machine.scope) for problem in _check_graph(scope)),
        *_check_variables(machine.scope, frozenset()),
    ]


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for state in scope.states.values():
        for inner in inner_scopes(state):
            yield from _scopes(inner)


def _check_names(top: Scope) -> list[str]:
    counts = Counter(name for scope in _scopes(top) for name in scope.states)
    return [f"state '{name}': the name is used {count} times" for name, count in counts.items() if count > 1]


def _check_graph(scope: Scope) -> list[str]:
    if scope.start_at not in scope.states:
        return [
            f"StartAt names '{scope.start_at}', which is no state of its scope{_hint(scope, scope.start_at)}"
        ]
    missing = [
        f"state '{state.name}', field 'Next': '{target}' is no state of its scope{_hint(scope, target)}"
        for state in scope.states.values()
        for target in _targets(state)
        if target not in scope.states
    ]
    return missing or _check_reach(scope)


def _check_reach(scope: Scope) -> list[str]:
    reached, open_names = set(), [scope.start_at]
    while open_names:
        name = open_names.pop()
        if name not in reached:
            reached.add(name)
            open_names += _targets(scope.states[name])
    problems = [f"state '{name}': no state leads to it" for name in scope.states if name not in reached]
    if not any(_ends(state) for state in scope.states.values()):
        problems.append(f"the scope that starts at state '{scope.start_at}' has no state that ends it")
    return problems


def _targets(state: State) -> list[str]:
    return [exit_.next for exit_ in exits(state) if exit_.next is not None]


def _ends(state: State) -> bool:
    return isinstance(state, Fail) or any(exit_.next is None for exit_ in exits(state))


def _hint(scope: Scope, name: str) -> str:
    near = near_miss(name, scope.states)
    return f"; did you mean '{near}'?" if near else ""


def _check_variables(scope: Scope, outer: frozenset[str]) -> list[str]:
    problems = [
        f"state '{state.name}', field 'Assign': variable '{name}' belongs to an outer scope"
        for state in scope.states.values()
        for exit_ in exits(state)
        for name in exit_.assign
        if name in outer
    ]
    own = {name for state in scope.states.values() for exit_ in exits(state) for name in exit_.assign}
    for state in scope.states.values():
        for inner in inner_scopes(state):
            problems += _check_variables(inner, outer | own)
    return problems
