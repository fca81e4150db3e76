"""A path that is walked without JSONata comes to what JSONata says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.engine import expression
from local_cloud.engine.expression import Bindings, EvaluationError, Expression

NAMES = st.sampled_from(["a", "b", "_c1"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def value_of(found: Expression, states: dict[str, Any], variables: dict[str, Any]) -> object:
    bindings = Bindings(variables=variables, states=states, draws=lambda _, make: make(), now=time.time)
    try:
        return repr(expression.evaluate(found, bindings))
    except EvaluationError as error:
        return str(error)


@given(root=st.sampled_from(["states.input", "v", "w"]), names=st.lists(NAMES, max_size=3), data=DOCUMENTS)
def test_a_path_is_what_jsonata_says(root: str, names: list[str], data: Any) -> None:
    code = ".".join([f"${root}", *names])
    walked = expression.parse(f"{{% {code} %}}")
    assert walked.path == tuple(code[1:].split("."))
    asked = Expression(code=code)
    states, variables = {"input": data}, {"v": data}
    assert value_of(walked, states, variables) == value_of(asked, states, variables)


@pytest.mark.parametrize(
    "code",
    ["$states.input.a + 1", "$v.and", "$v[0]", "$v.*", "$", "$$", "$v.a.$string()", "$v.`a b`"],
)
def test_other_expressions_are_jsonatas(code: str) -> None:
    assert expression.parse(f"{{% {code} %}}").path == ()
