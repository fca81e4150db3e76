from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge_components.local_server.errors import ImageError, TooLargeError
from edge_components.local_server.images import decode


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "form", "extension"),
    [
        ("RGB", "JPEG", "jpg"),
        ("L", "JPEG", "jpg"),
        ("CMYK", "JPEG", "jpg"),
        ("RGB", "PNG", "png"),
        ("RGBA", "PNG", "png"),
        ("LA", "PNG", "png"),
        ("P", "PNG", "png"),
        ("1", "PNG", "png"),
    ],
)
def test_reads_every_mode_as_rgb(mode: str, form: str, extension: str) -> None:
    image = decode(encode(Image.new("RGB", (7, 5), "white").convert(mode), form))
    assert image.extension == extension
    assert image.pixels.shape == (5, 7, 3)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.min() >= 250


def test_keeps_the_upper_byte_of_sixteen_bits() -> None:
    grey = Image.fromarray(np.array([[0, 0x80FF], [0xFFFF, 0x0100]], dtype=np.uint16))
    assert decode(encode(grey, "PNG")).pixels[:, :, 1].tolist() == [[0, 0x80], [0xFF, 1]]


def test_turns_an_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned; show it rotated by 90 degrees
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))
    pixels = decode(encode(image, "PNG", exif=exif)).pixels
    assert pixels.shape == (8, 4, 3)
    assert pixels[0].min() == 255
    assert pixels[-1].max() == 0


def test_refuses_too_many_pixels() -> None:
    with pytest.raises(TooLargeError, match="11 x 10 pixels; the server takes 100 at most"):
        decode(encode(Image.new("L", (11, 10)), "PNG"), max_pixels=100)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_refuses_other_formats(form: str) -> None:
    with pytest.raises(ImageError, match="not recognised"):
        decode(encode(Image.new("L", (3, 3)), form))


@given(st.sampled_from(["JPEG", "PNG"]), st.data())
def test_damage_is_an_image_error_or_an_image(form: str, data: st.DataObject) -> None:
    whole = bytearray(encode(Image.linear_gradient("L").resize((16, 16)), form))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        image = decode(bytes(whole[:cut]))
    except (ImageError, TooLargeError) as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert image.pixels.shape[2] == 3
