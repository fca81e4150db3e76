"""images: what the first and last bytes of a file say."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from tasks import images
from tasks.images import Broken, Image
from tasks.locations import parse_location
from tests.unit.tasks.pictures import picture

if TYPE_CHECKING:
    from tests.unit.tasks.fakes import Cloud


def check(content: bytes) -> Image | Broken:
    return images.check(content[: images.HEAD_BYTES], content[-images.TAIL_BYTES :], len(content))


def jpeg(**options: object) -> bytes:
    target = io.BytesIO()
    Picture.effect_noise((300, 200), 60).save(target, "JPEG", **options)
    return target.getvalue()


def with_thumbnail() -> bytes:
    """Return a JPEG with another whole JPEG in an APP1 segment, as cameras write it."""
    whole, inner = jpeg(), picture(size=(4, 4))
    segment = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    return whole[:2] + segment + whole[2:]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(picture("JPEG", size=(8, 6)), Image(kind="JPEG", width=8, height=6), id="jpeg"),
        pytest.param(picture("PNG", size=(7, 9)), Image(kind="PNG", width=7, height=9), id="png"),
        pytest.param(jpeg(progressive=True), Image(kind="JPEG", width=300, height=200), id="progressive"),
        pytest.param(with_thumbnail(), Image(kind="JPEG", width=300, height=200), id="with a thumbnail"),
        pytest.param(jpeg() + b"\x00" * 9, Image(kind="JPEG", width=300, height=200), id="padded"),
        pytest.param(b"", Broken(reason="is empty"), id="empty"),
        pytest.param(
            b"RIFF\x00\x00\x00\x00WEBPVP8 ",
            Broken(reason="is a WebP file, not a JPEG or PNG image"),
            id="webp",
        ),
        pytest.param(b"<html>", Broken(reason="is a text or HTML file, not a JPEG or PNG image"), id="html"),
        pytest.param(b"hello", Broken(reason="is some other file, not a JPEG or PNG image"), id="text"),
        pytest.param(
            picture("PNG")[:-1],
            Broken(reason="is a PNG that breaks off before its end; upload it again"),
            id="cut png",
        ),
        pytest.param(
            jpeg()[:-900],
            Broken(reason="is a JPEG that breaks off before its end; upload it again"),
            id="cut jpeg",
        ),
        pytest.param(
            with_thumbnail()[:-900],
            Broken(reason="is a JPEG that breaks off before its end; upload it again"),
            id="the thumbnail's end is not the image's",
        ),
        pytest.param(
            b"\xff\xd8\xff\xd9",
            Broken(reason="is a JPEG without a frame header; it is damaged"),
            id="hollow jpeg",
        ),
        pytest.param(
            images.PNG_SIGNATURE, Broken(reason="is a PNG without a header; it is damaged"), id="hollow png"
        ),
    ],
)
def test_check(content: bytes, expected: Image | Broken) -> None:
    assert check(content) == expected


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", images.PNG_SIGNATURE]))
def test_any_bytes_are_judged(content: bytes, start: bytes) -> None:
    assert isinstance(check(start + content), Image | Broken)


@given(cut=st.integers(min_value=1, max_value=40))
def test_a_jpeg_that_was_cut_anywhere_in_its_pixels_is_broken(cut: int) -> None:
    content = jpeg()
    assert isinstance(check(content[: len(content) * cut // 41]), Broken)


def test_large_objects_are_judged_by_two_ranges(cloud: Cloud) -> None:
    content = jpeg()
    large = content[:2] + (b"\xff\xe2\xff\xff" + b"\x00" * 65_533) * 1 + content[2:] + b"\x00" * 100
    noise = io.BytesIO()
    Picture.effect_noise((700, 700), 90).save(noise, "PNG")
    cloud.s3.put("s3://cookie-data/a.png", noise.getvalue())
    cloud.s3.put("s3://cookie-data/b.jpg", large)
    found = dict(
        images.check_objects(
            cloud.client("s3"),
            [parse_location("s3://cookie-data/a.png"), parse_location("s3://cookie-data/b.jpg")],
        )
    )
    assert list(found.values()) == [
        Image(kind="PNG", width=700, height=700),
        Image(kind="JPEG", width=300, height=200),
    ]
    assert len(noise.getvalue()) > images.HEAD_BYTES
    assert cloud.operations() == ["GetObject"] * 3


@pytest.mark.parametrize(
    ("exists", "told"), [(True, "is empty"), (False, "does not exist, or may not be read")]
)
def test_empty_and_missing_objects_are_told_apart(cloud: Cloud, exists: bool, told: str) -> None:
    if exists:
        cloud.s3.put("s3://cookie-data/a.png", b"")
    found = images.check_object(cloud.client("s3"), parse_location("s3://cookie-data/a.png"))
    assert found == Broken(reason=told)
