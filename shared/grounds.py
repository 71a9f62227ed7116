"""The ground that a transparent picture is laid on, chosen from the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB = tuple[int, int, int]

LIGHT: RGB = (255, 255, 255)
DARK: RGB = (64, 64, 64)
"""Not black, on which the dark lines of a light drawing would vanish."""

_NEAR = 48
"""Levels of luminance within which a colour hardly stands out from its ground."""
_MUCH = 0.25
"""Share of what is visible that may vanish on the light ground."""
_STRIP_PIXELS = 4_000_000


def is_transparent(image: Image.Image) -> bool:
    """Whether the image has an alpha channel that hides some of its pixels.

    One that hides all is no transparency: clipboards leave it empty, and textures keep other data
    in it. Browsers show such a BMP in full.
    """
    if image.mode not in ("RGBA", "LA"):
        return False
    return image.getchannel("A").getextrema() not in ((0, 0), (255, 255))


def ground_for(image: Image.Image, light: RGB = LIGHT) -> RGB:
    """The ground on which more of a picture can be seen: `light`, or dark grey.

    It is dark if more than a quarter of what is visible, each pixel weighted by its alpha, is
    within 48 levels of the light ground in luminance (ITU-R BT.601), and more than is within 48
    levels of the dark one. An image without alpha has the light one.
    """
    if image.mode not in ("RGBA", "LA"):
        return light
    weights = _luminances(image)
    total = max(1.0, float(weights.sum()))
    levels = np.arange(256)
    on_light, on_dark = (
        float(weights[np.abs(levels - _luminance(ground)) < _NEAR].sum()) / total
        for ground in (light, DARK)
    )
    return DARK if on_light > _MUCH and on_light > on_dark else light


def is_hidden(image: Image.Image) -> bool:
    """Whether an alpha channel hides every pixel."""
    return image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema() == (0, 0)


def laid_on(image: Image.Image, ground: RGB) -> Image.Image:
    """The image in RGB, its transparency filled with the ground."""
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    backdrop = Image.new("RGBA", image.size, (*ground, 255))
    return Image.alpha_composite(backdrop, image.convert("RGBA")).convert("RGB")


def _luminance(color: RGB) -> float:
    red, green, blue = color
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _luminances(image: Image.Image) -> NDArray[np.float64]:
    """float64 (256,): the alpha of all pixels of each luminance, a strip of rows at a time."""
    width, height = image.size
    found = np.zeros(256)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        grey, alpha = np.asarray(strip.convert("L")), np.asarray(strip.getchannel("A"))
        found += np.bincount(grey.ravel(), alpha.ravel(), minlength=256)
    return found
