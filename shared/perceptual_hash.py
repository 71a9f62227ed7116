"""A perceptual hash: 64 bits that change little when a picture does."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_EDGE = 32
"""Pixels along the square that is hashed."""

_FREQUENCIES = 8


def perceptual_hash(square: Image.Image) -> str:
    """64 bits, 16 hex digits, of an upright image of 32 x 32: signs of the low DCT frequencies
    against their median.

    The hash of Zauner, *Implementation and benchmarking of perceptual image hash functions* (2010).
    """
    grey = np.asarray(square.convert("L"), dtype=np.float64)
    # Rounded, so that a flat picture has no frequencies rather than the noise of its arithmetic.
    frequencies = (_DCT @ grey @ _DCT.T).round(6).ravel()
    # An odd number of them, so that the median is one of them; NumPy's own loads its masked arrays.
    middle = (frequencies.size - 1) // 2
    median = np.partition(frequencies[1:], middle)[middle]
    return np.packbits(frequencies > median).tobytes().hex()


def _dct_rows() -> NDArray[np.float64]:
    frequency = np.arange(_FREQUENCIES)[:, None]
    place = np.arange(HASH_EDGE)[None, :]
    angle = np.pi * frequency * (2 * place + 1) / (2 * HASH_EDGE)
    return cast("NDArray[np.float64]", np.cos(angle))


_DCT = _dct_rows()
