"""From the bytes of a request to pixels, trusting nothing about them."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from .errors import ImageError, TooLargeError

MAX_PIXELS = 64_000_000
EXTENSIONS = {"JPEG": "jpg", "PNG": "png"}
SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I")


@dataclass(frozen=True, kw_only=True)
class DecodedImage:
    """RGB pixels `[height, width, 3]` and the extension that fits the original bytes."""

    pixels: npt.NDArray[np.uint8]
    extension: str


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Read a JPEG or PNG upright as RGB; ImageError or TooLargeError say what is wrong with it."""
    if not data:
        message = "the request has no body; send the bytes of a JPEG or PNG image"
        raise ImageError(message)
    try:
        with Image.open(io.BytesIO(data), formats=tuple(EXTENSIONS)) as image:
            _check_size(image.size, max_pixels)
            extension = EXTENSIONS[str(image.format)]
            return DecodedImage(pixels=_read_pixels(image), extension=extension)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(str(error)) from error
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, MemoryError) as error:
        message = f"the body is not a JPEG or PNG image that can be read: {_render_cause(error)}"
        raise ImageError(message) from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        message = f"the image has {size[0]} x {size[1]} pixels; the server takes {max_pixels} at most"
        raise TooLargeError(message)


def _read_pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in SIXTEEN_BIT_MODES:
        return _read_sixteen_bits(upright)
    return np.asarray(upright.convert("RGB"), dtype=np.uint8)


def _read_sixteen_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Keep the upper byte; Pillow's own conversion cuts everything above 255."""
    grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _render_cause(error: BaseException) -> str:
    text = str(error)
    return "its format is not recognised" if "cannot identify image file" in text else text or "broken data"
