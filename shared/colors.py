"""Colours of an embedded ICC profile as sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

LARGEST_PROFILE = 4 * 2**20
"""Bytes. Printers' profiles have up to 3 MB; what is larger is no profile that anyone needs."""

_SPACES = {b"RGB ": ("RGB", "RGBA"), b"GRAY": ("L", "LA"), b"CMYK": ("CMYK",)}
"""Which modes a profile of each colour space is for."""
_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
"""Profiles of a monitor, a scanner, a printer, a colour space; others tell nothing of colours."""
_SAME_LEVELS = 2
"""A profile that changes no colour by more is one of sRGB, of which there are many spellings."""


def profile_for(image: Image.Image, mode: str | None = None) -> bytes | None:
    """The image's profile, if its colours differ from those of sRGB; else None.

    A profile that is damaged, too large, or of another colour space than `mode` (the image's own,
    if None) is left out, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 128 < len(profile) <= LARGEST_PROFILE:
        return None
    mode = mode or image.mode
    if profile[12:16] not in _CLASSES or mode not in _SPACES.get(profile[16:20], ()):
        return None
    return profile if _transform(profile, _without_alpha(mode)) is not None else None


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An image in L, LA, RGB, RGBA or CMYK with its colours as sRGB: in RGB, or RGBA if it has
    alpha. `profile` as `profile_for` gives it; None means sRGB."""
    if profile is None:
        return image if image.mode != "CMYK" else image.convert("RGB")
    transform = _transform(profile, _without_alpha(image.mode))
    if transform is None:
        return image.convert("RGB")
    found: Image.Image = transform.apply(image.convert(_without_alpha(image.mode)))
    found.info = {}  # littleCMS leaves its own profile of sRGB
    if image.mode in ("RGBA", "LA"):
        found.putalpha(image.getchannel("A"))
    return found


def _without_alpha(mode: str) -> str:
    return {"RGBA": "RGB", "LA": "L"}.get(mode, mode)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> Any | None:
    """What converts an image of that mode; None if nothing needs to be converted, or it cannot."""
    from PIL import ImageCms  # its library is loaded only for a picture with a profile

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
        )
        samples = _samples(mode)
        converted = np.asarray(transform.apply(samples)).astype(int)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "CMYK":
        return transform
    changed = np.abs(converted - np.asarray(samples.convert("RGB"))).max()
    return transform if changed > _SAME_LEVELS else None


def _samples(mode: str) -> Image.Image:
    """Colours all over the mode's space."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    rgb = Image.fromarray(np.ascontiguousarray(grid))
    return rgb if mode == "RGB" else rgb.convert(mode)
