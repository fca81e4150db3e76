from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from pipelines import assets
from pipelines.assets import AssetError, exists_beside, read_asset, read_spec
from pipelines.compiler import Asset
from pipelines.diagnostics import SpecError

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = Asset(
    name="train_source", step="train", root="spec", path="src", include=("*.py", "requirements.txt")
)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        folder.joinpath(name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def read(spec_dir: Path, asset: Asset = SOURCE) -> bytes:
    return read_asset(asset, spec_dir=spec_dir, platform_dir=spec_dir / "platform")


def names(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {entry.name: archive.extractfile(entry).read().decode() for entry in archive}  # type: ignore[union-attr]


def test_an_archive_holds_what_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "src", train__py="a", model__py="b", requirements__txt="c", data__bin="d")
    write(tmp_path / "src" / "deeper", other__py="e")
    assert names(read(tmp_path)) == {"model.py": "b", "requirements.txt": "c", "train.py": "a"}


def test_bytes_depend_on_names_and_contents_only(tmp_path: Path) -> None:
    write(tmp_path / "a" / "src", b__py="2", a__py="1")
    write(tmp_path / "b" / "src", a__py="1", b__py="2")
    os.utime(tmp_path / "b" / "src" / "a.py", (1, 1))
    (tmp_path / "b" / "src" / "a.py").chmod(0o700)
    assert read(tmp_path / "a") == read(tmp_path / "b")


def test_the_platforms_own_files_come_from_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "platform" / "parts", base__py="x")
    asset = Asset(name="p_runtime", step="p", root="platform", path="parts", include=("base.py",))
    assert names(read(tmp_path, asset)) == {"base.py": "x"}


def test_nothing_to_pack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no \*\.py or requirements\.txt there for step 'train'"):
        read(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "src", train__py="a")
    secret = write(tmp_path / "elsewhere", secret__py="s") / "secret.py"
    (tmp_path / "src" / "link.py").symlink_to(secret)
    with pytest.raises(AssetError, match=r"link\.py: this link leads out of"):
        read(tmp_path)


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "src", train__py="a")
    (tmp_path / "src" / "link.py").symlink_to("train.py")
    assert names(read(tmp_path)) == {"link.py": "a", "train.py": "a"}


def test_data_does_not_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MAX_BYTES", 3)
    write(tmp_path / "src", a__py="12", b__py="34")
    with pytest.raises(AssetError, match="4 bytes of sources; at most 3 go along"):
        read(tmp_path)


def test_a_spec_is_read_as_text(tmp_path: Path) -> None:
    spec = tmp_path / "p.yaml"
    spec.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_spec(spec) == "a: 1\r\n"
    spec.write_bytes(b"x" * 1_000_001)
    with pytest.raises(SpecError, match="P004 the spec is larger"):
        read_spec(spec)


def test_files_are_looked_for_beside_the_spec(tmp_path: Path) -> None:
    write(tmp_path / "src", train__py="a")
    exists = exists_beside(tmp_path / "p.yaml")
    assert exists("src/train.py")
    assert not exists("src")
    assert not exists("train.py")
