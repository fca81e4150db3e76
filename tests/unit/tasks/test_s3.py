"""s3 and locations: streams, digests, and addresses that are not trusted."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from tasks import s3
from tasks.errors import TaskInputError
from tasks.locations import parse_folder, parse_location
from tests.unit.tasks.fakes import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = parse_location("s3://cookie-data/folder/file.txt")


@pytest.fixture(params=["moto", "memory"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a client of either kind: what holds for one must hold for the other."""
    if request.param == "memory":
        yield Cloud().client("s3")
        return
    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1")
        made.create_bucket(Bucket="cookie-data")
        yield made


def test_what_is_written_is_read_and_known_by_its_digest(client: Any) -> None:
    digest = s3.write_bytes(client, HERE, b"one\r\n\ntwo", content_type="text/plain")
    assert digest == f"sha256:{hashlib.sha256(b'one' + bytes([13, 10, 10]) + b'two').hexdigest()}"
    assert s3.digest(client, HERE) == digest
    assert list(s3.read_lines(client, HERE)) == [(1, b"one\r"), (2, b""), (3, b"two")]
    assert s3.read_bytes(client, HERE, limit=10) == b"one\r\n\ntwo"


def test_an_object_is_created_once(client: Any) -> None:
    assert s3.create_bytes(client, HERE, b"first")
    assert not s3.create_bytes(client, HERE, b"second")
    assert s3.read_bytes(client, HERE, limit=10) == b"first"


def test_files_are_written_and_copied(client: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 3_000_000)
    digest = s3.write_file(client, HERE, tmp_path / "x", content_type="application/zip")
    target = parse_location("s3://cookie-data/other.zip")
    s3.copy(client, HERE, target)
    assert s3.digest(client, target) == digest
    assert sum(map(len, s3.read_chunks(client, target))) == 3_000_000


def test_what_is_missing_is_named(client: Any) -> None:
    assert s3.digest(client, HERE) is None
    with pytest.raises(TaskInputError, match=r"the model s3://cookie-data/folder/file\.txt does not exist"):
        s3.required_digest(client, HERE, what="the model")
    with pytest.raises(TaskInputError, match="does not exist"):
        list(s3.read_chunks(client, HERE))
    with pytest.raises(TaskInputError, match="does not exist any more"):
        s3.copy(client, HERE, parse_location("s3://cookie-data/b"))


def test_every_page_of_a_listing_is_read(client: Any) -> None:
    names = [f"folder/{number:02d}" for number in range(10)]
    for name in names:
        s3.write_bytes(client, parse_location(f"s3://cookie-data/{name}"), b"1", content_type="text/plain")
    assert [item.key for item in s3.list_objects(client, HERE.parent)] == names


def test_an_object_without_a_known_checksum_goes_by_its_etag() -> None:
    class Multipart:
        def head_object(self, **_: Any) -> dict[str, Any]:
            return {"ETag": '"abc-2"', "ChecksumSHA256": "AAAA-2", "ChecksumType": "COMPOSITE"}

    assert s3.digest(Multipart(), HERE) == "etag:abc-2"


def test_more_than_was_allowed_is_not_read(client: Any) -> None:
    s3.write_bytes(client, HERE, b"12345", content_type="text/plain")
    with pytest.raises(TaskInputError, match="larger than the 4 bytes"):
        s3.read_bytes(client, HERE, limit=4)


@given(st.lists(st.binary(max_size=5).filter(lambda line: b"\n" not in line), max_size=20))
def test_lines_are_those_of_the_text(lines: list[bytes]) -> None:
    client = Cloud().client("s3")
    s3.write_bytes(client, HERE, b"".join(line + b"\n" for line in lines), content_type="text/plain")
    assert [line for _, line in s3.read_lines(client, HERE)] == lines


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "is not an s3:// address"),
        ("http://169.254.169.254/x", "is not an s3:// address"),
        ("S3://bucket/key", "is not an s3:// address"),
        ("s3://s3://bucket//", "names s3:// twice"),
        ("s3://Bucket/key", "cannot be a bucket"),
        ("s3://b/key", "cannot be a bucket"),
        ("s3://bucket/a/../b", "'.' or '..' in its key"),
        ("s3://bucket/a//b", "has an empty part"),
        ("s3://bucket//b", "has an empty part"),
        ("s3://bucket/a\nb", "control character"),
        ("s3://bucket/\ud800", "half a surrogate pair"),
        ("s3://bucket/" + "ä" * 513, "over 1024 bytes"),
    ],
)
def test_addresses_that_are_refused(uri: str, told: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        parse_location(uri)


@pytest.mark.parametrize("uri", ["s3://bucket/", "s3://bucket/a", "s3://bucket/a/b c.jpg", "s3://bucket/ä/"])
def test_addresses_that_are_taken_stay_as_they_are(uri: str) -> None:
    assert parse_location(uri).uri == uri


def test_folders_end_with_a_slash() -> None:
    assert parse_folder("s3://bucket/a").uri == parse_folder("s3://bucket/a/").uri == "s3://bucket/a/"
    assert parse_folder("s3://bucket").uri == "s3://bucket/"
    assert (parse_folder("s3://bucket/a") / "b").uri == "s3://bucket/a/b"
    assert parse_location("s3://bucket/a/b").parent.uri == "s3://bucket/a/"
