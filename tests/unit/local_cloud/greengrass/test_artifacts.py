"""Archives are unpacked into the folder we chose, or not at all."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from local_cloud.greengrass import artifacts
from local_cloud.greengrass.artifacts import unpack

if TYPE_CHECKING:
    from pathlib import Path


def bundle(path: Path, members: list[tuple[zipfile.ZipInfo | str, str]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members:
            archive.writestr(member, text)
    return path


def special(name: str, kind: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (kind | 0o777) << 16
    return member


def test_files_and_folders_are_unpacked_with_the_asked_mode(tmp_path: Path) -> None:
    archive = bundle(tmp_path / "a.zip", [("empty/", ""), ("m/1/model.py", "x"), ("./top", "y")])
    target = tmp_path / "out"
    target.mkdir()
    unpack(archive, target, mode=0o755)
    found = {str(path.relative_to(target)) for path in target.rglob("*")}
    assert found == {"empty", "m", "m/1", "m/1/model.py", "top"}
    assert (target / "m/1/model.py").read_text() == "x"
    assert stat.S_IMODE((target / "top").stat().st_mode) == 0o755


HOSTILE: list[tuple[list[tuple[zipfile.ZipInfo | str, str]], str]] = [
    ([("fine", "x"), ("../escaped", "x")], "outside"),
    ([("fine", "x"), ("a/../../escaped", "x")], "outside"),
    ([("/escaped", "x")], "outside"),
    ([("a\\..\\escaped", "x")], "outside"),
    ([(special("link", stat.S_IFLNK), "/etc/passwd")], "link"),
    ([(special("pipe", stat.S_IFIFO), "")], "special"),
    ([("same", "1"), ("./same", "2")], "twice"),
]


@pytest.mark.parametrize(("members", "message"), HOSTILE)
def test_a_hostile_archive_writes_nothing(
    members: list[tuple[zipfile.ZipInfo | str, str]], message: str, tmp_path: Path
) -> None:
    archive = bundle(tmp_path / "a.zip", members)
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    with pytest.raises(ValueError, match=message):
        unpack(archive, target, mode=0o644)
    assert list(target.iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path) -> None:
    archive = bundle(tmp_path / "a.zip", [("a", "1"), ("a/b", "2")])
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(OSError, match="a"):
        unpack(archive, target, mode=0o644)


@pytest.mark.parametrize(("limit", "message"), [("MAX_FILES", "members"), ("MAX_UNARCHIVED_BYTES", "bytes")])
def test_a_large_archive_is_refused(
    limit: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, limit, 1)
    archive = bundle(tmp_path / "a.zip", [("a", "12"), ("b", "34")])
    with pytest.raises(ValueError, match=message):
        unpack(archive, tmp_path, mode=0o644)
