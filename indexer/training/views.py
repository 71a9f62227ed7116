"""Other views of a picture: how it could have looked, had it been taken a little otherwise."""

from __future__ import annotations

import numpy as np
from PIL import Image

from shared.types import Pixels


def part(
    picture: Pixels, random: np.random.Generator, *, least_area: float, most_stretch: float
) -> Pixels:
    """A part of uint8 (size, size, 3), stretched to its size and flipped half the time.

    Its area is at least `least_area` of the picture's, in (0, 1]; one side is at most
    `most_stretch` times the other.
    """
    size = len(picture)
    area, stretch = random.uniform(least_area, 1), random.uniform(1 / most_stretch, most_stretch)
    width, height = np.minimum(1, np.sqrt(area) * np.array([stretch, 1 / stretch]) ** 0.5) * size
    left, above = random.uniform(0, size - width), random.uniform(0, size - height)
    seen = np.asarray(
        Image.fromarray(picture).resize(
            (size, size), Image.Resampling.BILINEAR, box=(left, above, left + width, above + height)
        )
    )
    return seen[:, ::-1] if random.random() < 0.5 else seen
