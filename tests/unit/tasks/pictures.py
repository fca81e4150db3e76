"""Small images made with Pillow, for the tests."""

from __future__ import annotations

import io

from PIL import Image


def picture(kind: str = "JPEG", *, size: tuple[int, int] = (8, 6), seed: int = 0) -> bytes:
    """Return an image file; different seeds give different pixels."""
    target = io.BytesIO()
    Image.new("RGB", size, (seed % 256, 80, 120)).save(target, kind)
    return target.getvalue()
