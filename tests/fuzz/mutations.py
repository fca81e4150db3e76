"""Specs that are nearly good: trees of the good spec with parts dropped, swapped, moved and made strange."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

from tests.bad_specs.case import GOOD

Tree: TypeAlias = Any
Path: TypeAlias = tuple[Any, ...]

WORDS = st.sampled_from(
    [
        *(
            "label",
            "transform",
            "train",
            "compile",
            "package",
            "publish",
            "deploy",
            "serve",
            "approve",
            "custom",
        ),
        *("uses", "needs", "inputs", "timeout", "when", "for_each", "retry", "defaults", "params", "steps"),
        *(
            "waves",
            "targets",
            "message",
            "handler",
            "takes",
            "gives",
            "outputs",
            "config",
            "heartbeat",
            "gate",
        ),
    ]
)
REFERENCES = st.sampled_from(
    [
        "${{ params.epochs }}",
        "${{ params.dataset }}/x",
        "${{ steps.train.model }}",
        "${{ steps.train.metrics.recall }}",
        "${{ steps.compile.compiled_model.x86_64-cpu.uri }}",
        "${{ steps.label }}",
        "${{ usecase.data_bucket }}",
        "${{ run.id }}",
        "${{ item }}",
        "${{ params.epochs }} == 30 and not (${{ run.id }} in ['a'])",
        "${{",
        "}}",
        "${{}}",
        "${{ a.b",
        "{% $x %}",
        "${x}",
        "$.x",
    ]
)
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from(
        [0, -1, 2**53, 2**63, 10**400, 1e308, True, False, None, "1e999", "0x10", "012", "12:30:00"]
    )
)
TEXTS = (
    st.text(max_size=20) | REFERENCES | WORDS | st.sampled_from(["", " ", "a" * 200, "\u202e", "\ud7ff", "é"])
)
LEAVES = TEXTS | NUMBERS
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(tree: Tree, path: Path = ()) -> list[Path]:
    """Return the path of every part of a tree below its root."""
    found = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += [(*path, key), *places(value, (*path, key))]
    return found


def part(tree: Tree, path: Path) -> Tree:
    """Return the part of a tree at a path."""
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def specs(draw: st.DrawFn) -> str:
    """Draw the text of a spec that is a few mutations away from the good one."""
    tree = yaml.safe_load(GOOD)
    for _ in range(draw(st.integers(1, 6))):
        found = places(tree)
        if not found:
            break
        mutate(draw, tree, draw(st.sampled_from(found)), draw(st.sampled_from(found)))
    if draw(st.booleans()):
        return json.dumps(tree)
    return yaml.safe_dump(
        tree,
        default_flow_style=draw(st.sampled_from([True, False, None])),
        allow_unicode=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
        width=draw(st.sampled_from([20, 80, 10_000])),
    )


def mutate(draw: st.DrawFn, tree: Tree, place: Path, other: Path) -> None:
    """Change a tree in place, at one path or from one to another."""
    parent, key = part(tree, place[:-1]), place[-1]
    match draw(st.sampled_from(["drop", "replace", "copy", "rename", "nest", "add"])):
        case "drop":
            del parent[key]
        case "replace":
            parent[key] = draw(TREES)
        case "copy":
            # A copy, so that the dump holds no aliases and no tree holds itself.
            parent[key] = json.loads(json.dumps(part(tree, other)))
        case "rename" if isinstance(parent, dict):
            parent[draw(WORDS | st.text(max_size=8))] = parent.pop(key)
        case "nest":
            for _ in range(draw(st.sampled_from([1, 3, 60]))):
                parent[key] = [parent[key]] if draw(st.booleans()) else {"a": parent[key]}
        case _ if isinstance(parent, dict):
            parent[draw(WORDS)] = draw(TREES)
        case _:
            parent.append(draw(TREES))


@st.composite
def edited(draw: st.DrawFn) -> str:
    """Draw the text of the good spec with lines doubled, moved and cut."""
    lines = GOOD.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 8))):
        begin = draw(st.integers(0, len(lines)))
        end = draw(st.integers(begin, min(len(lines), begin + 6)))
        at = draw(st.integers(0, len(lines)))
        match draw(st.sampled_from(["double", "cut", "indent", "insert"])):
            case "double":
                lines[at:at] = lines[begin:end]
            case "cut":
                del lines[begin:end]
            case "indent":
                lines[begin:end] = [
                    f"{draw(st.sampled_from(['  ', ' ', chr(9)]))}{line}" for line in lines[begin:end]
                ]
            case _:
                lines.insert(at, draw(TEXTS) + draw(st.sampled_from(["\n", "", ": ", ": {", "\r", "\u2028"])))
    return "".join(lines)
