from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from local_cloud.sagemaker.archives import build_archive, write_source
from local_cloud.sagemaker.errors import JobFailedError

if TYPE_CHECKING:
    from pathlib import Path


def packed(*members: tarfile.TarInfo) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            member.size = 1 if member.isreg() else 0
            tar.addfile(member, io.BytesIO(b"x") if member.isreg() else None)
    buffer.seek(0)
    return buffer


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_source_is_written_below_its_folder(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("package")
    folder.type = tarfile.DIRTYPE
    write_source(packed(folder, tarfile.TarInfo("package/a.py"), tarfile.TarInfo("./b.py")), tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")) == [
        "b.py",
        "package/a.py",
    ]


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../out.py"),
        tarfile.TarInfo("a/../../out.py"),
        tarfile.TarInfo("/out.py"),
        link("l", "/etc/passwd", tarfile.SYMTYPE),
        link("l", "../out.py", tarfile.LNKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
    ],
)
def test_source_that_leads_out_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(JobFailedError, match=r"^ClientError: the source archive holds"):
        write_source(packed(member), inner)
    assert list(tmp_path.iterdir()) == [inner]


@pytest.mark.parametrize("broken", [b"", b"no archive", packed(tarfile.TarInfo("a")).getvalue()[:40]])
def test_a_broken_source_archive_is_named(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(JobFailedError, match="cannot be unpacked"):
        write_source(io.BytesIO(broken), tmp_path)


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, ["b", "a/c"]), (second, ["a/c", "b"])):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
    (second / "link").symlink_to("/etc/passwd")
    assert build_archive(first) == build_archive(second)
    assert build_archive(tmp_path / "none") is None
