"""Objects in S3: listed with paging, read and written in streams, known by their digest."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from tasks import aws
from tasks.errors import TaskInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tasks.aws import Client
    from tasks.locations import Location

READ_ACTIONS = ("s3:GetObject", "s3:ListBucket")
WRITE_ACTIONS = ("s3:PutObject",)

_CHUNK = 1 << 20
MAX_LINE_BYTES = 1 << 20
"""A longer line of a manifest is refused: no image's labels need one."""
MAX_PUT_BYTES = 5 * 1024**3
"""The largest object one PutObject or CopyObject takes (Amazon S3 user guide, "Uploading objects")."""
_MISSING = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One object of a listing."""

    key: str
    size: int
    modified: datetime


def list_objects(s3: Client, folder: Location) -> Iterator[Listed]:
    """Yield every object under `folder`, in the order of their keys as S3 sorts them (UTF-8 binary)."""
    request: dict[str, Any] = {"Bucket": folder.bucket, "Prefix": folder.key}
    while True:
        reply = aws.ask(s3.list_objects_v2, request, unless=("NoSuchBucket",))
        if reply is None:
            message = (
                f"the bucket of {folder.uri} does not exist in the use case's account; correct the address"
            )
            raise TaskInputError(message)
        for item in reply.get("Contents", []):
            yield Listed(key=item["Key"], size=item["Size"], modified=item["LastModified"])
        if not reply.get("IsTruncated"):
            return
        request["ContinuationToken"] = reply["NextContinuationToken"]


def read_chunks(s3: Client, location: Location) -> Iterator[bytes]:
    """Yield the object's bytes in pieces of 1 MB or less; raises TaskInputError for no such object."""
    reply = aws.ask(s3.get_object, _at(location), unless=("NoSuchKey", "NoSuchBucket"))
    if reply is None:
        message = f"{location.uri} does not exist; it should have been there before this step began"
        raise TaskInputError(message)
    body = reply["Body"]
    try:
        while chunk := body.read(_CHUNK):
            yield chunk
    finally:
        body.close()


def read_bytes(s3: Client, location: Location, *, limit: int) -> bytes:
    """Return the whole object; raises TaskInputError when it is absent or has more than `limit` bytes."""
    found = b""
    for chunk in read_chunks(s3, location):
        found += chunk
        if len(found) > limit:
            message = f"{location.uri} is larger than the {limit} bytes that such a file may have"
            raise TaskInputError(message)
    return found


def read_lines(s3: Client, location: Location) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, the line without its end) of a text object, holding one line at a time.

    Raises TaskInputError when the object is absent or a line is longer than MAX_LINE_BYTES.
    """
    number, rest = 0, b""
    for chunk in read_chunks(s3, location):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            yield number, _bounded(line, number, location)
        _bounded(rest, number + 1, location)
    if rest:
        yield number + 1, rest


def write_bytes(s3: Client, location: Location, content: bytes, *, content_type: str) -> str:
    """Write a small object and return its digest."""
    s3.put_object(**_at(location), Body=content, ContentType=content_type, ChecksumAlgorithm="SHA256")
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def create_bytes(s3: Client, location: Location, content: bytes) -> bool:
    """Write the object only if there is none; say whether it was written. Two writers cannot both succeed."""
    request = {**_at(location), "Body": content, "ContentType": "application/json", "IfNoneMatch": "*"}
    return aws.ask(s3.put_object, request, unless=("PreconditionFailed",)) is not None


def write_file(s3: Client, location: Location, path: Path, *, content_type: str) -> str:
    """Write the file as an object, in a stream, and return its digest; raises TaskInputError above 5 GB."""
    if path.stat().st_size > MAX_PUT_BYTES:
        message = f"{location.uri} would have {path.stat().st_size} bytes; one upload takes {MAX_PUT_BYTES}"
        raise TaskInputError(message)
    with path.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
        body.seek(0)
        s3.put_object(**_at(location), Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256")
    return f"sha256:{digest}"


def copy(s3: Client, source: Location, target: Location) -> None:
    """Copy an object inside S3, at most 5 GB; raises TaskInputError when the source is gone."""
    request = {
        **_at(target),
        "CopySource": {"Bucket": source.bucket, "Key": source.key},
        "ChecksumAlgorithm": "SHA256",
    }
    if aws.ask(s3.copy_object, request, unless=("NoSuchKey", "404")) is None:
        message = f"{source.uri} does not exist any more; run the step that made it again"
        raise TaskInputError(message)


def digest(s3: Client, location: Location) -> str | None:
    """Return `sha256:<hex>` where S3 knows that checksum, else `etag:<etag>`; None for no object."""
    reply = aws.ask(s3.head_object, {**_at(location), "ChecksumMode": "ENABLED"}, unless=_MISSING)
    if reply is None:
        return None
    checksum = reply.get("ChecksumSHA256", "")
    # A multipart upload's checksum is one of checksums, marked with "-<parts>": it does not name the bytes.
    if checksum and "-" not in checksum and reply.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        return f"sha256:{base64.b64decode(checksum).hex()}"
    return f"etag:{reply['ETag'].strip(chr(34))}"


def required_digest(s3: Client, location: Location, *, what: str) -> str:
    """Return the digest of an object that must be there; raises TaskInputError naming `what` it is."""
    found = digest(s3, location)
    if found is None:
        message = f"{what} {location.uri} does not exist; correct the address, or run the step that writes it"
        raise TaskInputError(message)
    return found


@contextmanager
def draft_folder() -> Iterator[Path]:
    """Give a private folder on the Lambda's disk for files on their way to S3; it is gone afterwards."""
    with TemporaryDirectory(prefix="edgepipe-") as name:
        yield Path(name)


def copy_stream(s3: Client, location: Location, target: IO[bytes]) -> str:
    """Append the object's bytes to `target` in pieces and return their SHA-256 as hex."""
    hashed = hashlib.sha256()
    for chunk in read_chunks(s3, location):
        hashed.update(chunk)
        target.write(chunk)
    return hashed.hexdigest()


def _at(location: Location) -> dict[str, str]:
    return {"Bucket": location.bucket, "Key": location.key}


def _bounded(line: bytes, number: int, location: Location) -> bytes:
    if len(line) > MAX_LINE_BYTES:
        message = (
            f"{location.uri} line {number} is longer than {MAX_LINE_BYTES} bytes; is it a JSON Lines file?"
        )
        raise TaskInputError(message)
    return line
