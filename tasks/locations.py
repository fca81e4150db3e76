"""S3 addresses, read strictly: a spec, a manifest or an event may name anything."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.errors import TaskInputError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_KEY_BYTES = 1024
"""The longest key S3 takes (Amazon S3 user guide, "Naming Amazon S3 objects")."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """A bucket and a key; a key that is empty or ends with a slash is a folder."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """Return the location as s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def parent(self) -> Location:
        """Return the folder that holds this object."""
        head, slash, _ = self.key.rstrip("/").rpartition("/")
        return Location(bucket=self.bucket, key=head + slash)

    def __truediv__(self, name: str) -> Location:
        """Return the location `name` inside this folder."""
        key = self.key if self.key.endswith("/") or not self.key else f"{self.key}/"
        return Location(bucket=self.bucket, key=f"{key}{name}")


def parse_location(uri: str, *, what: str = "the S3 address") -> Location:
    """Return `uri` as a Location; raises TaskInputError telling what is wrong with it, naming it `what`."""
    problem = _problem(uri)
    if problem:
        message = f"{what} {uri[:200]!r} {problem}; write it as s3://bucket/key"
        raise TaskInputError(message)
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Location(bucket=bucket, key=key)


def parse_folder(uri: str, *, what: str = "the S3 folder") -> Location:
    """Return `uri` as a folder's Location, with the closing slash added; raises TaskInputError."""
    location = parse_location(uri, what=what)
    if location.key and not location.key.endswith("/"):
        return Location(bucket=location.bucket, key=f"{location.key}/")
    return location


def _problem(uri: str) -> str:
    if not uri.startswith("s3://"):
        return "is not an s3:// address"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if bucket == "s3:":
        return "names s3:// twice"
    if _BUCKET.fullmatch(bucket) is None:
        return f"names {bucket!r}, which cannot be a bucket"
    return _key_problem(key)


def _key_problem(key: str) -> str:
    parts = key.removesuffix("/").split("/")
    if key and any(part in ("", ".", "..") for part in parts):
        return "has an empty part, '.' or '..' in its key"
    if _CONTROL.search(key):
        return "has a control character in its key"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "has half a surrogate pair in its key"
    return f"has a key over {MAX_KEY_BYTES} bytes" if size > MAX_KEY_BYTES else ""
