"""Where in a result the likeness to the query lies: occlusion sensitivity.

Patches of the result are covered one after the other, and the drop in cosine with the query is the
heat of the place that was covered. The method of Zeiler and Fergus, *Visualizing and understanding
convolutional networks* (ECCV 2014), section 4.2, with the cosine in place of a class probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shared.types import Encoder, Pixels

CELLS = 8
"""Places along an edge. A patch covers two by two, so every place is covered four times."""

_SPAN = 2
_BLUR_SHARE = 4
"""The cover is the picture blurred with a deviation of a quarter of its edge. It takes the detail
away and adds no edges: a flat mean colour reads worse (its hottest places, covered first, cost the
likeness less), a fainter blur leaves too much to be recognised by."""

_FAINT = 0.01
"""A drop of cosine that is drawn as full heat at least: below it lies the encoder's own noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """`values`: float32 (CELLS, CELLS) in [0, 1], 1 where covering costs the most likeness.

    `drops`: float32 (CELLS, CELLS), the mean loss of cosine when a place is covered; below 0 where
    covering makes the picture more like the query. `score`: the cosine with nothing covered.
    """

    values: NDArray[np.float32]
    drops: NDArray[np.float32]
    score: float

    @property
    def peak(self) -> float:
        """The largest drop: what a value of 1 stands for, unless nothing drops noticeably."""
        return float(self.drops.max())


def heat_map(encoder: Encoder, picture: Pixels, query: NDArray[np.float32]) -> Heat:
    """The heat of uint8 pixels (size, size, 3) under a query's unit vector, float32 (512,).

    The same input has the same heat. 82 pictures go through the encoder in one call. Raises
    ValueError for pixels of another geometry, `ModelError` if the encoder fails.
    """
    edge = encoder.spec.size
    if picture.shape != (edge, edge, 3) or picture.dtype != np.uint8:
        raise ValueError(
            f"pixels are {picture.dtype} {picture.shape}, expected uint8 ({edge}, {edge}, 3)"
        )
    places = [(row, column) for row in _firsts() for column in _firsts()]
    scores = encoder.encode(_variants(picture, places)) @ np.asarray(query, np.float32)
    sums = np.zeros((CELLS, CELLS), np.float64)
    for (row, column), score in zip(places, scores[1:], strict=True):
        sums[_cells(row), _cells(column)] += float(scores[0]) - float(score)
    drops = (sums / _SPAN**2).astype(np.float32)
    values = np.clip(drops / max(_FAINT, float(drops.max())), 0, 1).astype(np.float32)
    return Heat(values, drops, float(scores[0]))


def _firsts() -> range:
    """The first cells of the patches along an edge; those at the border reach beyond it."""
    return range(1 - _SPAN, CELLS)


def _cells(first: int) -> slice:
    return slice(max(0, first), min(CELLS, first + _SPAN))


def _variants(picture: Pixels, places: list[tuple[int, int]]) -> Pixels:
    """uint8 (1 + places, size, size, 3): the picture, then the picture with each patch covered."""
    edge = len(picture)
    borders = [round(cell * edge / CELLS) for cell in range(CELLS + 1)]
    blur = ImageFilter.GaussianBlur(edge / _BLUR_SHARE)
    cover = np.asarray(Image.fromarray(picture).filter(blur))
    variants = np.repeat(picture[None], 1 + len(places), axis=0)
    for variant, (row, column) in zip(variants[1:], places, strict=True):
        down, across = (
            slice(borders[cells.start], borders[cells.stop])
            for cells in (_cells(row), _cells(column))
        )
        variant[down, across] = cover[down, across]
    return variants
