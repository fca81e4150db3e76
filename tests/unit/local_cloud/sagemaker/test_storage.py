from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.sagemaker.errors import JobFailedError
from local_cloud.sagemaker.requests import S3Source
from local_cloud.sagemaker.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class InMemoryS3:
    """As much of S3 as jobs use, two keys a page."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if f"{Bucket}/{Key}" not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[f"{Bucket}/{Key}"])}

    def put_object(self, *, Bucket: str, Key: str, Body: Any) -> None:  # noqa: N803 - as above
        self.objects[f"{Bucket}/{Key}"] = Body if isinstance(Body, bytes) else Body.read()

    def get_paginator(self, _operation: str) -> InMemoryS3:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as above
        keys = sorted(
            name.partition("/")[2] for name in self.objects if name.startswith(f"{Bucket}/{Prefix}")
        )
        for start in range(0, max(1, len(keys)), 2):
            yield {"Contents": [{"Key": key} for key in keys[start : start + 2]]} if keys else {}


def storage(*names: str) -> Storage:
    return Storage(InMemoryS3({name: name.encode() for name in names}), lambda: False)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("s3://b/data/", ["one.txt", "sub/three.txt", "two.txt"]),
        ("s3://b/data", ["one.txt", "sub/three.txt", "two.txt"]),
        ("s3://b/data/t", ["two.txt"]),
        ("s3://b/data/one.txt", ["one.txt"]),
        ("s3://b", ["data/one.txt", "data/sub/three.txt", "data/two.txt"]),
    ],
)
def test_a_prefix_is_laid_out_without_itself(tmp_path: Path, prefix: str, expected: list[str]) -> None:
    made = storage("b/data/", "b/data/one.txt", "b/data/two.txt", "b/data/sub/three.txt")
    made.download(S3Source(kind="S3Prefix", uri=prefix), tmp_path)
    assert files(tmp_path) == expected


def test_a_manifest_is_laid_out_without_its_prefix(tmp_path: Path) -> None:
    s3 = InMemoryS3({"b/m.json": b'[{"prefix": "s3://c/k/"}, "a b#1.jpg", "d/e.jpg"]'})
    s3.objects |= {"c/k/a b#1.jpg": b"1", "c/k/d/e.jpg": b"2"}
    Storage(s3, lambda: False).download(S3Source(kind="ManifestFile", uri="s3://b/m.json"), tmp_path)
    assert files(tmp_path) == ["a b#1.jpg", "d/e.jpg"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no manifest file"),
        (b"[]", "is no manifest file"),
        (b'["a"]', "is no manifest file"),
        (b'[{"prefix": "s3://b/"}, 3]', "3 is no key"),
        (b'[{"prefix": "s3://b/"}, "../x"]', "leads out of the folder"),
        (b'[{"prefix": "s3://b"}, "/x"]', "leads out of the folder"),
        (b'[{"prefix": "s3://b/"}, "none"]', "s3://b/none cannot be read: no such key"),
        (b'[{"prefix": "s3://b/"}]', "no S3 objects found for s3://b/m.json"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_named(tmp_path: Path, body: bytes, said: str) -> None:
    s3 = InMemoryS3({"b/m.json": body})
    with pytest.raises(JobFailedError, match=said):
        Storage(s3, lambda: False).download(
            S3Source(kind="ManifestFile", uri="s3://b/m.json"), tmp_path / "in"
        )
    assert files(tmp_path) == []


def test_a_folder_is_uploaded_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(b"a")
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "link").symlink_to("/etc/passwd")
    s3 = InMemoryS3({})
    Storage(s3, lambda: False).upload(tmp_path, "s3://out/here/")
    assert s3.objects == {"out/here/b.txt": b"b", "out/here/sub/a.txt": b"a"}


def test_an_interrupted_download_ends_early(tmp_path: Path) -> None:
    answers = iter([False, True])
    made = Storage(InMemoryS3({"b/1": b"", "b/2": b"", "b/3": b""}), lambda: next(answers))
    made.download(S3Source(kind="S3Prefix", uri="s3://b/"), tmp_path)
    assert files(tmp_path) == ["1"]
