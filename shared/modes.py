"""Every mode that a decoder gives, as 8 bits a channel that resample well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import TiffImagePlugin as Tiff

from shared.errors import ImageRefused

_SIXTEEN_BIT = {"I;16", "I;16L", "I;16B", "I;16N"}

_STRIP_PIXELS = 4_000_000
"""Pixels that NumPy holds at a time while wide values are scaled to 8 bits."""


def eight_bit(image: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a channel that resamples well: L, LA, RGB or RGBA."""
    if image.mode in _SIXTEEN_BIT:
        grey, key = _by_strips(image, _sixteen_bit_scale(image)), image.info.get("transparency")
        if isinstance(key, int):
            grey.putalpha(_by_strips(image, lambda values: np.uint8(255) * (values != key)))
        return grey
    if image.mode in ("I", "F"):
        return _by_strips(image, _wide_scale(image))
    if image.mode in ("1", "L", "LA", "RGB", "RGBA"):
        if "transparency" in image.info:
            return image.convert("RGBA")
        return image.convert("L") if image.mode == "1" else image
    if image.mode in ("P", "PA", "La", "RGBa"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("RGB")


_Scale = Callable[[NDArray[Any]], NDArray[np.uint8]]


def _by_strips(image: Image.Image, scale: _Scale) -> Image.Image:
    """`scale` applied to a one-channel image, some rows at a time to save memory."""
    image.load()
    width, height = image.size
    grey = np.empty((height, width), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        grey[top:bottom] = scale(np.asarray(image.crop((0, top, width, bottom))))
    return Image.fromarray(grey)


def _sixteen_bit_scale(image: Image.Image) -> _Scale:
    """The upper 8 of 16 bits; a TIFF may use 12 of them, or have its white at 0."""
    shift, flip = 8, 0
    if isinstance(image, Tiff.TiffImageFile):
        shift = 4 if image.tag_v2.get(Tiff.BITSPERSAMPLE) == (12,) else 8
        flip = 255 if image.tag_v2.get(Tiff.PHOTOMETRIC_INTERPRETATION) == 0 else 0
    return lambda values: ((values >> shift) ^ flip).astype(np.uint8)


def _wide_scale(image: Image.Image) -> _Scale:
    """Integers of 8 or 16 bits by their range, fractions in [0, 1], anything else by extremes."""
    low, high = cast("tuple[float, float]", image.getextrema())
    if low < 0 or high > 65535:
        base, span = low, max(high - low, 1e-12)
    else:
        base, span = 0.0, 1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0

    def scale(values: NDArray[Any]) -> NDArray[np.uint8]:
        if not np.isfinite(values).all():
            raise ImageRefused("holds values that are not numbers")
        return ((values.astype(np.float64) - base) / span * 255).round().astype(np.uint8)

    return scale
