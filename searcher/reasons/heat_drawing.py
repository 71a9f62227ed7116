"""Draws a heat map over a picture, and the legend that says how to read it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.types import Fit

LEGEND = (
    "Heat: bright where covering the place costs the most likeness to the query, grey where it "
    "costs none (occlusion, Zeiler and Fergus 2014)"
)

_STEPS = 256
_COLD, _HOT = (0.45, 0.12, 310.0), (0.92, 0.18, 458.0)
"""Lightness, chroma and hue (degrees) in Oklch: violet over orange to yellow. Lightness grows in
even steps, so the order of the colours is seen without telling hues apart."""

_MOST_COVER = 0.66
"""Opacity of the hottest colour; the picture's own shapes must show through."""

_DARK, _LIGHT = 30, 205
"""The greys that the picture beneath is drawn with, between both ends of the ramp."""


def overlay(image: Image.Image, heat: NDArray[np.float32], fit: Fit = "stretch") -> Image.Image:
    """The picture in grey with heat (rows, columns) in [0, 1] over it, RGB of the same size.

    `fit`: how the picture became the encoder's square (`PixelSpec.fit`), so that heat lies where
    it was measured; what *cover* crops away stays grey.
    """
    levels = np.clip(_at_size(np.asarray(heat, np.float32), image.size, fit), 0, 1)
    grey = np.asarray(image.convert("L"), np.float32)
    grey = _DARK + grey * ((_LIGHT - _DARK) / 255)
    cover = (_MOST_COVER * levels)[..., None]
    color = ramp()[np.rint(levels * (_STEPS - 1)).astype(np.int64)]
    mixed = (1 - cover) * grey[..., None] + cover * color
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


@functools.cache
def ramp() -> NDArray[np.float32]:
    """float32 (256, 3): the colours from cold to hot, sRGB in [0, 255]. Read-only."""
    share = np.linspace(0, 1, _STEPS)[:, None]
    lightness, chroma, hue = (np.array(_COLD) * (1 - share) + np.array(_HOT) * share).T
    angle = np.deg2rad(hue)
    colors = _srgb(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1))
    colors.setflags(write=False)
    return colors


def ramp_strip(width: int, height: int) -> Image.Image:
    """The colours as they lie on a middling grey, cold at the left, for a legend. RGB."""
    levels = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    return overlay(Image.new("L", (width, height), 128), levels)


def _srgb(oklab: NDArray[np.float64]) -> NDArray[np.float32]:
    """Oklab (n, 3) as sRGB in [0, 255], clipped. Matrices by Ottosson, *Oklab* (2020)."""
    to_cones = [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
    to_linear = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = np.clip((oklab @ np.transpose(to_cones)) ** 3 @ np.transpose(to_linear), 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colors: NDArray[np.float32] = (255 * curved).astype(np.float32)
    return colors


def _at_size(heat: NDArray[np.float32], size: tuple[int, int], fit: Fit) -> NDArray[np.float32]:
    """The heat stretched smoothly over the part of a (width, height) picture it belongs to."""
    width, height = size
    square = Image.fromarray(heat)
    bicubic = Image.Resampling.BICUBIC
    if fit == "stretch":
        return np.asarray(square.resize(size, bicubic))
    if fit == "contain":
        longer = max(size)
        x, y = (longer - width) // 2, (longer - height) // 2
        return np.asarray(
            square.resize((longer, longer), bicubic).crop((x, y, x + width, y + height))
        )
    edge = min(size)
    canvas = Image.new("F", size)
    canvas.paste(square.resize((edge, edge), bicubic), ((width - edge) // 2, (height - edge) // 2))
    return np.asarray(canvas)
