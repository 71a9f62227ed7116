"""The bytes of files, good and bad, made from a random source."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image

EVEN_BYTES = 4096
"""Pictures are padded to this size, so that one can take another's place unnoticed by size."""


def picture(source: random.Random, *, even: bool = True) -> bytes:
    """A small JPEG or PNG like no other, in one of three colours."""
    color = source.choice(((200, 30, 30), (30, 180, 40), (30, 50, 210)))
    edge = source.randint(40, 64)
    pixels = np.full((edge, edge, 3), color, np.uint8)
    for _ in range(3):
        left, top = source.randrange(edge - 8), source.randrange(edge - 8)
        pixels[top : top + 8, left : left + 8] = [source.randrange(256) for _ in range(3)]
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, source.choice(("JPEG", "JPEG", "PNG")))
    return made.getvalue().ljust(EVEN_BYTES, b"\0") if even else made.getvalue()


def no_picture(source: random.Random) -> bytes:
    """Bytes that must be refused."""
    kind = source.randrange(4)
    if kind == 0:
        return picture(source)[: source.randint(1, 150)]
    if kind == 1:
        return b"<html><body>404</body></html>" + source.randbytes(8).hex().encode()
    return b"" if kind == 2 else source.randbytes(EVEN_BYTES)
