"""Golden pixels: made once by `tests/data/golden/make.py`, never by a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.images import pixels
from tests.data.golden.make import FOLDER, SOURCES, SPECS

TOLERANCE = {"turned.jpg": (3, 0.6)}
"""Levels: the most that one value, and the mean of all, may be off. libjpeg builds differ in their
rounding; formats without loss may be off by the rounding of the resampling filter."""


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("source", SOURCES)
def test_pixels_are_those_that_every_encoder_was_trained_on(source: str, kind: str) -> None:
    with Image.open(FOLDER / f"{Path(source).stem}-{kind}.png") as golden:
        expected = np.asarray(golden).astype(int)
    off = np.abs(pixels(FOLDER / source, SPECS[kind]).astype(int) - expected)
    most, mean = TOLERANCE.get(source, (1, 0.1))
    assert off.max() <= most
    assert off.mean() <= mean


def test_the_tolerance_tells_geometries_apart() -> None:
    """A neighbouring filter or a shift of one pixel is seen, so the test above can fail."""
    expected = pixels(FOLDER / "turned.jpg", SPECS["default"]).astype(int)
    shifted = np.roll(expected, 1, axis=1)
    assert np.abs(expected - shifted).mean() > 3 * TOLERANCE["turned.jpg"][1]
    without_draft = pixels(FOLDER / "alpha.png", SPECS["contain"]).astype(int)
    assert without_draft.shape == (32, 32, 3)
