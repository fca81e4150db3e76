"""Who may import whom: the table of CONTRIBUTING.md, over every module of the project."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

ON_DEVICES = frozenset(
    {"PIL", "gevent", "google", "numpy", "onnxruntime", "tritonclient", "triton_python_backend_utils"}
)
IN_JOBS = frozenset({"PIL", "numpy", "onnx", "onnxruntime"})
LOCAL = frozenset(
    {
        "PIL",
        "boto3",
        "botocore",
        "jsonata",
        "moto",
        "packaging",
        "semantic_version",
        "werkzeug",
        "xmltodict",
        "yaml",
    }
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What modules below a path may import; `late` only inside functions, so that importing stays cheap."""

    path: str
    third_party: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    by_name: bool = False
    """Whether import_module may be called: modules named by data, such as handlers."""


TABLE = (
    Row(path="tasks", ours=frozenset({"tasks"}), late=frozenset({"boto3", "botocore"}), by_name=True),
    Row(
        path="pipelines",
        ours=frozenset({"pipelines"}),
        third_party=frozenset({"yaml"}),
        late=frozenset({"botocore"}),
    ),
    Row(path="local_cloud", ours=frozenset({"local_cloud", "pipelines"}), third_party=LOCAL, by_name=True),
    Row(
        path="operations",
        ours=frozenset({"operations", "pipelines"}),
        late=frozenset({"boto3", "botocore", "tasks"}),
    ),
    Row(path="cli.py", late=frozenset({"verbs"})),
    Row(
        path="verbs",
        ours=frozenset({"verbs"}),
        late=frozenset({"pipelines", "local_cloud", "operations"}),
    ),
    Row(
        path="stacks",
        ours=frozenset({"stacks", "pipelines"}),
        third_party=frozenset({"aws_cdk", "cdk_nag", "constructs", "yaml"}),
        late=frozenset({"boto3"}),
    ),
    Row(path="edge_components", third_party=ON_DEVICES),
    Row(path="containers", third_party=IN_JOBS),
    Row(path="examples", third_party=IN_JOBS),
)
OURS = frozenset(
    {
        "tasks",
        "operations",
        "pipelines",
        "local_cloud",
        "cli",
        "edge_components",
        "containers",
        "stacks",
        "tests",
        "verbs",
    }
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One import: `module` is absolute, or begins with a dot where it stays inside its package."""

    file: Path
    line: int
    module: str
    late: bool

    def __str__(self) -> str:
        return (
            f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}{' late' if self.late else ''}"
        )


def files(row: Row) -> list[Path]:
    path = ROOT / row.path
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(file: Path, node: ast.AST | None = None, *, late: bool = False) -> Iterator[Found]:
    """Yield a module's imports; those under TYPE_CHECKING count as late, because they never run."""
    for child in ast.iter_child_nodes(node or ast.parse(file.read_text(encoding="utf-8"))):
        inside = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or only_for_types(child)
        for name in imported(child):
            yield Found(file=file, line=getattr(child, "lineno", 0), module=name, late=late)
        yield from imports(file, child, late=inside)


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return []


def beside(found: Found) -> bool:
    """Say whether a script imports the file next to it, as programs that run from their own folder do."""
    name = found.module.split(".")[0]
    return found.module.startswith(".") or (found.file.parent / f"{name}.py").is_file()


def forbidden(row: Row, found: Found) -> bool:
    top = found.module.split(".")[0]
    if top in sys.stdlib_module_names or top in row.third_party | row.ours or beside(found):
        return False
    return not (top in row.late and found.late)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_modules_import_what_the_table_allows(row: Row) -> None:
    assert files(row), "the table names a folder that does not exist"
    assert [str(found) for file in files(row) for found in imports(file) if forbidden(row, found)] == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_relative_imports_stay_in_their_program(row: Row) -> None:
    """A component or a container is a program of its own: it reaches no file beside its folder."""
    for file in files(row):
        parts = file.relative_to(ROOT).parts
        depth = len(parts) - (2 if row.path in ("edge_components", "containers") else 1)
        dots = [len(f.module) - len(f.module.lstrip(".")) for f in imports(file) if f.module.startswith(".")]
        assert max(dots, default=0) <= max(depth, 0), file


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_modules_are_imported_by_name_only_where_handlers_are(row: Row) -> None:
    callers = [file.relative_to(ROOT).as_posix() for file in files(row) if calls_by_name(file)]
    assert row.by_name or callers == []


def calls_by_name(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {"import_module", "__import__"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Name) and node.id in names)
        for node in ast.walk(tree)
    )


def test_every_module_of_ours_is_in_the_table() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.joinpath("__init__.py").exists()}
    scripts = {path.name for path in ROOT.glob("*.py")}
    known = {row.path for row in TABLE}
    assert (folders | scripts) - {"tests", "bench"} <= known


@pytest.mark.parametrize(
    ("source", "row", "bad"),
    [
        ("import boto3", "tasks", True),
        ("def f():\n    import boto3", "tasks", False),
        ("from pipelines import spec", "tasks", True),
        ("def f():\n    from pipelines import spec", "tasks", True),
        ("import yaml", "pipelines", False),
        ("import boto3", "pipelines", True),
        ("import local_cloud.run", "pipelines", True),
        ("import tasks.train", "local_cloud", True),
        ("import numpy", "cli.py", True),
        ("import pipelines", "cli.py", True),
        ("if TYPE_CHECKING:\n    import pipelines", "verbs", False),
        ("from .x import y", "containers", False),
        ("import tasks", "containers", True),
        ("import local_cloud", "edge_components", True),
    ],
)
def test_the_check_itself(source: str, row: str, bad: bool, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(source, encoding="utf-8")
    rule = next(each for each in TABLE if each.path == row)
    assert [forbidden(rule, found) for found in imports(file)] == [bad]
