"""Whether images are whole: their first and last bytes are read, never the pixels.

A JPEG begins with SOI, names its size in a start-of-frame segment and ends with EOI (ITU-T T.81, annex B);
a PNG begins with its signature and IHDR and ends with IEND (PNG specification, section 11).
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tasks.aws import Client
    from tasks.locations import Location

HEAD_BYTES = 128 * 1024
"""Enough for the thumbnails and colour profiles that cameras write before the frame's size."""
TAIL_BYTES = 64 * 1024
"""Enough for what some cameras append after the end marker."""
WORKERS = 8

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG_END = b"\xff\xd9"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN = 0xDA

OTHER_TYPES = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"%PDF", "a PDF"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000"),
    (b"<", "a text or HTML"),
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an image's first bytes say: its kind, and its size in pixels."""

    kind: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Why a file is no image that training could read."""

    reason: str


def check(head: bytes, tail: bytes, size: int) -> Image | Broken:
    """Judge a file of `size` bytes by its first and its last bytes, which may overlap."""
    if size == 0:
        return Broken(reason="is empty")
    if head.startswith(PNG_SIGNATURE):
        return _check_png(head, tail)
    if head.startswith(b"\xff\xd8"):
        return _check_jpeg(head, tail, size)
    return Broken(reason=f"is {_other_type(head)} file, not a JPEG or PNG image")


def check_objects(s3: Client, locations: Iterable[Location]) -> Iterator[tuple[Location, Image | Broken]]:
    """Judge many objects, a few at a time; yields in the order given."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        chosen = list(locations)
        yield from zip(chosen, pool.map(lambda location: check_object(s3, location), chosen), strict=True)


def check_object(s3: Client, location: Location) -> Image | Broken:
    """Judge one object by at most two ranged reads; an object that is not there is broken too."""
    request = {"Bucket": location.bucket, "Key": location.key, "Range": f"bytes=0-{HEAD_BYTES - 1}"}
    # InvalidRange is S3's answer for an object without any byte.
    reply = aws.ask(
        s3.get_object, request, unless=("NoSuchKey", "NoSuchBucket", "AccessDenied", "InvalidRange")
    )
    if reply is None:
        return _absent(s3, location)
    head = _read(reply)
    size = _size(reply, head)
    if size <= len(head):
        return check(head, head[-TAIL_BYTES:], size)
    tail = s3.get_object(**{**request, "Range": f"bytes={max(len(head), size - TAIL_BYTES)}-{size - 1}"})
    return check(head, (head + _read(tail))[-TAIL_BYTES:], size)


def _check_png(head: bytes, tail: bytes) -> Image | Broken:
    if len(head) < 33 or head[12:16] != b"IHDR":
        return Broken(reason="is a PNG without a header; it is damaged")
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if not width or not height:
        return Broken(reason=f"is a PNG of {width} x {height} pixels; it is damaged")
    if PNG_END not in tail:
        return Broken(reason="is a PNG that breaks off before its end; upload it again")
    return Image(kind="PNG", width=width, height=height)


def _check_jpeg(head: bytes, tail: bytes, size: int) -> Image | Broken:
    frame, scan = _jpeg_frame(head)
    if frame is None:
        return Broken(reason="is a JPEG without a frame header; it is damaged")
    if not frame.width or not frame.height:
        return Broken(reason=f"is a JPEG of {frame.width} x {frame.height} pixels; it is damaged")
    # A thumbnail before the scan has an end marker of its own, which says nothing about the image.
    picture = tail[max(0, scan - (size - len(tail))) :]
    if JPEG_END not in picture:
        return Broken(reason="is a JPEG that breaks off before its end; upload it again")
    return frame


def _jpeg_frame(head: bytes) -> tuple[Image | None, int]:
    """Walk the segments; return the frame's size, and where the scan begins (0 when beyond `head`)."""
    position, frame = 2, None
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            return frame, position
        if marker in _FRAMES and position + 9 <= len(head):
            height = int.from_bytes(head[position + 5 : position + 7], "big")
            frame = Image(
                kind="JPEG", width=int.from_bytes(head[position + 7 : position + 9], "big"), height=height
            )
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return frame, 0


def _other_type(head: bytes) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP"
    if head[4:8] == b"ftyp":
        return "a HEIC, AVIF or video"
    return next((name for start, name in OTHER_TYPES if head.startswith(start)), "some other")


def _absent(s3: Client, location: Location) -> Broken:
    request = {"Bucket": location.bucket, "Key": location.key}
    found = aws.ask(s3.head_object, request, unless=("404", "NoSuchKey", "NotFound", "403", "AccessDenied"))
    return Broken(reason="is empty" if found is not None else "does not exist, or may not be read")


def _read(reply: dict[str, Any]) -> bytes:
    with reply["Body"] as body:
        content: bytes = body.read()
    return content


def _size(reply: dict[str, Any], head: bytes) -> int:
    total = re.search(r"/(\d+)$", reply.get("ContentRange", ""))
    return int(total.group(1)) if total else len(head)
