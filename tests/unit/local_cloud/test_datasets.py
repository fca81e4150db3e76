"""A local folder gets an address made of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.datasets import plan_datasets

if TYPE_CHECKING:
    from pathlib import Path


def _folder(root: Path) -> Path:
    (root / "normal").mkdir(parents=True)
    (root / "normal" / "1.png").write_bytes(b"one")
    return root


def test_a_folder_becomes_a_prefix_and_a_file_an_object(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "cookies")
    planned = plan_datasets({"a": str(folder), "b": str(folder / "normal" / "1.png")}, "data")
    assert planned["a"].uri.startswith("s3://data/datasets/")
    assert planned["a"].uri.endswith("/")
    assert planned["b"].uri.endswith("/1.png")


def test_the_address_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    first, second = _folder(tmp_path / "one"), _folder(tmp_path / "two")
    (second / ".cache").write_text("hidden files do not count")
    before = plan_datasets({"x": str(first), "y": str(second)}, "data")
    assert before["x"].uri == before["y"].uri
    (second / "normal" / "1.png").write_bytes(b"two")
    assert plan_datasets({"y": str(second)}, "data")["y"].uri != before["y"].uri


def test_what_is_no_local_path_is_left_to_the_parameters_own_check(tmp_path: Path) -> None:
    assert plan_datasets({"a": "s3://bucket/x/", "b": str(tmp_path / "missing"), "c": "30"}, "data") == {}
