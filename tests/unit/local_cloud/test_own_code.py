"""own_code: two functions' files never meet, and nothing of theirs stays on the search path."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from local_cloud.own_code import DECLARATION, CodeStore, OwnCode, pack, unpack
from tasks import custom

if TYPE_CHECKING:
    from pathlib import Path


def asset(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def code(tmp_path: Path, name: str, files: dict[str, str]) -> OwnCode:
    return CodeStore(lambda: tmp_path).code(pack(asset(files), {"module": "audit"}), name * 16)


def test_two_functions_have_modules_of_the_same_names(tmp_path: Path) -> None:
    files = {"audit.py": "import helper\ndef run(): return helper.NAME", "helper.py": "NAME = '{}'"}
    first, second = (
        code(tmp_path, name, {key: text.replace("{}", name) for key, text in files.items()}) for name in "ab"
    )
    assert [each.import_module("audit").run() for each in (first, second, first)] == ["a", "b", "a"]
    assert "audit" not in sys.modules
    assert "helper" not in sys.modules
    assert str(tmp_path) not in "".join(sys.path)


def test_files_that_are_named_as_installed_modules_hide_them_only_here(tmp_path: Path) -> None:
    own = code(tmp_path, "a", {"audit.py": "import json\nfound = json.MINE", "json.py": "MINE = 1"})
    assert own.import_module("audit").found == 1
    import json

    assert json.loads("1") == 1


def test_an_import_inside_a_function_finds_its_own_files(tmp_path: Path) -> None:
    files = {
        "audit.py": "def run():\n    from helper import NAME\n    import math\n    return NAME, math.pi > 3",
        "helper.py": "NAME = 7",
    }
    assert code(tmp_path, "a", files).import_module("audit").run() == (7, True)


def test_dataclasses_and_circles_work_and_modules_are_run_once(tmp_path: Path) -> None:
    files = {
        "audit.py": (
            "from __future__ import annotations\nfrom dataclasses import dataclass\nimport helper\n"
            "@dataclass(frozen=True)\nclass Box:\n    size: int\n"
        ),
        "helper.py": "import audit\nruns = [1]\n",
    }
    own = code(tmp_path, "a", files)
    assert own.import_module("audit").Box(size=2).size == 2
    assert own.import_module("helper") is own.import_module("audit").helper


def test_a_module_that_fails_is_not_kept(tmp_path: Path) -> None:
    own = code(tmp_path, "z", {"audit.py": "raise ValueError('no')"})
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            own.import_module("audit")
    assert set(sys.modules) == before


def test_closing_forgets_the_modules(tmp_path: Path) -> None:
    store = CodeStore(lambda: tmp_path)
    own = store.code(pack(asset({"audit.py": "found = []"}), {}), "close" * 8)
    first = own.import_module("audit")
    before = set(sys.modules)
    store.close()
    assert before - set(sys.modules) == {first.__name__}
    assert own.import_module("audit") is not first


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'audit'"):
        code(tmp_path, "a", {"other.py": ""}).import_module("audit")


def test_only_plain_names_at_the_top_are_unpacked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("audit.py", "../evil.py", "/evil.py", "tasks/x.py", "run.sh", DECLARATION):
            archive.writestr(name, "")
    unpack(buffer.getvalue(), tmp_path / "code")
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == ["audit.py", DECLARATION]
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_the_same_files_make_the_same_zip() -> None:
    assert pack(asset({"a.py": "1"}), {"b": 1, "a": 2}) == pack(asset({"a.py": "1"}), {"a": 2, "b": 1})


def test_the_declaration_has_the_name_that_the_handler_reads() -> None:
    assert DECLARATION == custom.DECLARATION
