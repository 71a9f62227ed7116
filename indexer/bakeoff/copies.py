"""Altered copies of a picture, as they come about in life: cropped, mirrored, brightened, saved
again. Who looks for the original with one of them should find it first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from shared.images import jpeg_bytes, thumbnail
from shared.reading import Limits

EDGE = 512
"""Longest edge of a copy, in pixels; more than most encoders look at."""

_QUALITY = 95
_Random = np.random.Generator


def _crop(image: Image.Image, random: _Random) -> bytes:
    """70 to 90 % of each edge, from anywhere."""
    width, height = (max(1, round(edge * random.uniform(0.7, 0.9))) for edge in image.size)
    left = int(random.integers(0, image.width - width + 1))
    top = int(random.integers(0, image.height - height + 1))
    return jpeg_bytes(image.crop((left, top, left + width, top + height)), _QUALITY)


def _flip(image: Image.Image, _random: _Random) -> bytes:
    """Left and right exchanged."""
    return jpeg_bytes(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), _QUALITY)


def _brightness(image: Image.Image, random: _Random) -> bytes:
    """A third to two thirds brighter, or as much darker."""
    factor = random.uniform(4 / 3, 5 / 3)
    changed = ImageEnhance.Brightness(image).enhance(
        factor if random.random() < 0.5 else 1 / factor
    )
    return jpeg_bytes(changed, _QUALITY)


def _reencoding(image: Image.Image, random: _Random) -> bytes:
    """Half the size, and a JPEG of quality 20 to 50."""
    half = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
    return jpeg_bytes(half, int(random.integers(20, 51)))


ALTERATIONS: dict[str, Callable[[Image.Image, _Random], bytes]] = {
    "crop": _crop,
    "flip": _flip,
    "brightness": _brightness,
    "reencoding": _reencoding,
}


def altered(data: bytes, random: _Random, limits: Limits) -> dict[str, bytes]:
    """A picture's altered copies as JPEG files, by the name of the alteration.

    `data`: the picture's file. The same `random` state gives the same copies. Raises
    `ImageRefused`.
    """
    image = thumbnail(data, EDGE, limits)
    return {name: alter(image, random) for name, alter in ALTERATIONS.items()}
