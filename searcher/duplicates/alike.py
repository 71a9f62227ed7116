"""Whether two pictures are one picture, altered: laid over each other and compared block by block.

A perceptual hash or an embedding says that two pictures look alike. Whether one was made from the
other is seen in their pixels: re-encoding, resizing, cropping, brightening and a stamp leave most
blocks as they were, and two photographs of like things do not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from searcher.duplicates.alignment import (
    Greys,
    Shifts,
    aligned,
    correlation,
    moved,
    shrunk,
    softened,
)
from searcher.duplicates.block_moments import BLOCKS, BlockMoments, Light
from shared.types import Pixels, PixelSpec

SMALL = PixelSpec(size=64, fit="stretch", filter="box", shares=True, version=2)
"""The geometry in which pictures are compared."""

COLOR_EDGE = 16
_PACKED, _PACKED_VERSION = struct.Struct(">BB"), SMALL.version
DETAILS = (64, 32, 16)
"""How much of 64 x 64 pixels a picture can fill; the less, the less it is compared by."""


class _Level(NamedTuple):
    """`rounds` of alignment at an `edge`, coarse to fine, and what a pair needs to go on: a
    `correlation`, growth and shift that a crop explains but for `slack`, and `share` of the blocks
    that agree; without one they are not compared yet."""

    edge: int
    rounds: int
    correlation: float
    slack: float
    share: float | None


# Measured on altered pictures and on the nearest neighbours of others: docs/near-duplicates.md.
_NOISE = 6.0
"""Levels (root mean square) that JPEG of quality 60 leaves between two copies of a plain block."""
_UNEXPLAINED = 0.3
"""Share of a block's variance that resampling may change."""
_MEANS = 8.0
"""Levels by which a block's mean may be off, brightness and contrast taken out."""
_COLOR = 14.0
"""Levels by which a block's colour differences (Cb, Cr) may be off."""
_MOST_GROWTH = 0.16
_SLACK = 0.03
_LEAST_BLOCKS = 6
"""Blocks with something in them below which nothing can be said."""
_LEAST_SHARE = 0.4
"""Share of those blocks that must be left where a stamp may lie: it is not most of a picture."""
_LEVELS = (
    _Level(16, 2, 0.4, 6 * _SLACK, None),  # most that are no copies wander off at once
    _Level(16, 4, 0.7, 2 * _SLACK, 0.2),
    _Level(32, 4, 0.7, 2 * _SLACK, 0.6),
    _Level(64, 3, 0.7, 2 * _SLACK, 1.0),
)
"""A crop of 5 % moves the border by one pixel of 16, which can still be found."""
_CERTAIN = 0.95
"""Share of agreeing blocks that alignment need not raise."""
_AT_ONCE = 128
"""Pairs that are compared together: about 60 MB of intermediate results."""


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """A picture as it is compared: uint8 `grey` (64, 64) and `color` (2, 16, 16), Cb and Cr.

    `detail`: 64, or 32 or 16 where the picture itself has hardly more pixels along its edges.
    """

    grey: NDArray[np.uint8]
    color: NDArray[np.uint8]
    detail: int

    @classmethod
    def of(cls, pixels: Pixels, shorter_edge: int) -> Small:
        """From uint8 (64, 64, 3), the picture's pixels in the geometry `SMALL` (ITU-R BT.601).

        `shorter_edge`: of the picture itself, in pixels.
        """
        red, green, blue = pixels.astype(np.float32).transpose(2, 0, 1)
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        both = np.stack([0.564 * (blue - grey), 0.713 * (red - grey)]) + 128
        color = shrunk(both, COLOR_EDGE).round().astype(np.uint8)
        detail = next(
            edge for edge in DETAILS if shorter_edge >= 0.75 * edge or edge == DETAILS[-1]
        )
        return cls(grey.round().astype(np.uint8), color, detail)

    def to_bytes(self) -> bytes:
        """The picture as `of_bytes` reads it."""
        return (
            _PACKED.pack(_PACKED_VERSION, self.detail) + self.grey.tobytes() + self.color.tobytes()
        )

    @classmethod
    def of_bytes(cls, data: bytes) -> Small | None:
        """The picture that `to_bytes` wrote; None for anything else, as of another version."""
        if len(data) != _PACKED.size + SMALL.size**2 + 2 * COLOR_EDGE**2:
            return None
        version, detail = _PACKED.unpack_from(data)
        if version != _PACKED_VERSION or detail not in DETAILS:
            return None
        levels = np.frombuffer(data, np.uint8, offset=_PACKED.size)
        grey, color = np.split(levels, [SMALL.size**2])
        return cls(
            grey.reshape(SMALL.size, SMALL.size),
            color.reshape(2, COLOR_EDGE, COLOR_EDGE),
            int(detail),
        )

    def distance(self, other: Small) -> float:
        """The mean difference of two pictures as they lie, in levels, in grey or in colour."""
        pairs = ((self.grey, other.grey), (self.color, other.color))
        return max(float(np.abs(a.astype(np.int16) - b).mean()) for a, b in pairs)


def agreement(first: Sequence[Small], second: Sequence[Small]) -> NDArray[np.float32]:
    """float32 (n,) in [0, 1]: how much of ``second[i]`` is ``first[i]``, altered.

    The share of the blocks with something in them that agree, once the two are aligned and one
    corner or border is left out where a stamp may lie. 0 where neither is a crop of the other; NaN
    where hardly any block has anything in it, so that nothing can be said. Raises ValueError for
    lists of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} pictures cannot be compared in pairs")
    found = np.zeros(len(first), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found[some] = _Pairs.of(first[some], second[some]).agreement()
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """n pairs of small pictures: float32 greys (n, 64, 64), colours (n, 2, 16, 16) around 0."""

    grey_a: Greys
    grey_b: Greys
    color_a: NDArray[np.float32]
    color_b: NDArray[np.float32]

    @classmethod
    def of(cls, first: Sequence[Small], second: Sequence[Small]) -> _Pairs:
        grey_a, grey_b = (
            np.stack([one.grey for one in some]).astype(np.float32) for some in (first, second)
        )
        color_a, color_b = (
            np.stack([one.color for one in some]).astype(np.float32) - 128
            for some in (first, second)
        )
        # What only one of the two can show is no difference between them.
        details = np.array([min(a.detail, b.detail) for a, b in zip(first, second, strict=True)])
        for edge in set(details.tolist()) - {SMALL.size}:
            coarse = details == edge
            for grey in (grey_a, grey_b):
                grey[coarse] = _blurred(grey[coarse], edge)
        return cls(grey_a, grey_b, color_a, color_b)

    def at(self, chosen: NDArray[np.int64]) -> _Pairs:
        """Some of the pairs."""
        return _Pairs(
            self.grey_a[chosen], self.grey_b[chosen], self.color_a[chosen], self.color_b[chosen]
        )

    def softened(self) -> _Pairs:
        """The pairs without their finest detail, which shifting by parts of a pixel takes away."""
        return _Pairs(softened(self.grey_a), softened(self.grey_b), self.color_a, self.color_b)

    def agreement(self) -> NDArray[np.float32]:
        """The better share of the pairs as they lie and aligned."""
        # Most alterations move nothing, and on a plain ground a stamp misleads the alignment.
        found = self.share()
        alive = np.flatnonzero(~(found >= _CERTAIN))
        shifts = np.zeros((len(alive), 4), np.float32)
        if not alive.size:
            return found
        for level in _LEVELS:
            a, b = (shrunk(grey[alive], level.edge) for grey in (self.grey_a, self.grey_b))
            shifts = aligned(a, b, shifts, level.rounds)
            kept = _is_crop(shifts, level.slack)
            kept[kept] = correlation(a[kept], b[kept], shifts[kept]) > level.correlation
            alive, shifts = alive[kept], shifts[kept]
            if level.share is not None and alive.size:
                share = self.at(alive).softened().share(shifts)
                better = np.where(_is_crop(shifts, _SLACK), share, np.nan)
                found[alive] = np.fmax(found[alive], better)
                kept = (share >= level.share) & (share < _CERTAIN)
                alive, shifts = alive[kept], shifts[kept]
            if not alive.size:
                break
        return found

    def share(self, shifts: Shifts | None = None) -> NDArray[np.float32]:
        """The largest share of telling blocks that agree under these shifts, a stamp left out;
        without shifts, as the pictures lie."""
        over, inside = (self.grey_a, None) if shifts is None else moved(self.grey_a, shifts)
        moments = BlockMoments.of(over, self.grey_b, inside)
        light = moments.light()
        rest, off, spread = moments.unlike(light)
        means = np.abs(off) <= _MEANS + 0.15 * np.sqrt(spread)
        texture = rest <= _NOISE**2 + _UNEXPLAINED * spread
        colors = self._colors_agree(shifts, light)
        agree = means & texture & colors
        telling = moments.usable & ((spread > _NOISE**2) | ~means | ~colors)
        total = telling.sum(axis=1, keepdims=True)
        # One product counts the blocks that each stamp leaves: (n, 64) by (64, m).
        count = telling.astype(np.float32) @ _STAMPS.T
        good = (agree & telling).astype(np.float32) @ _STAMPS.T
        enough = count >= np.maximum(_LEAST_BLOCKS, _LEAST_SHARE * total)
        best = np.where(enough, good / np.maximum(count, 1), 0).max(axis=1).astype(np.float32)
        return np.where(total[:, 0] < _LEAST_BLOCKS, np.float32(np.nan), best)

    def _colors_agree(self, shifts: Shifts | None, light: Light) -> NDArray[np.bool_]:
        """Which blocks have the same colour, brightness taken out: bool (n, 64)."""
        over = self.color_a.reshape(-1, COLOR_EDGE, COLOR_EDGE)
        if shifts is not None:
            over, _ = moved(over, shifts.repeat(2, axis=0))
        apart = light.gain.repeat(2)[:, None, None] * over - self.color_b.reshape(over.shape)
        blocks = np.abs(shrunk(apart, BLOCKS)).reshape(len(self.color_a), 2, BLOCKS**2)
        worst: NDArray[np.bool_] = blocks.max(axis=1) <= _COLOR
        return worst


def _blurred(greys: Greys, edge: int) -> Greys:
    """As many pixels, but no more detail than `edge` of them would show."""
    middles = ((np.arange(SMALL.size) + 0.5) * edge / SMALL.size - 0.5).clip(0, edge - 1)
    between = np.maximum(0, 1 - np.abs(middles[:, None] - np.arange(edge))).astype(np.float32)
    blurred: Greys = np.matmul(np.matmul(between, shrunk(greys, edge)), between.T)
    return blurred


def _is_crop(shifts: Shifts, slack: float) -> NDArray[np.bool_]:
    """Which pairs are a picture and a part of it: what moved is explained by what was cut off."""
    growth, shift = np.abs(shifts[:, [0, 2]]), np.abs(shifts[:, [1, 3]])
    cut = (growth <= _MOST_GROWTH + slack) & (shift <= growth + slack)
    return cut[:, 0] & cut[:, 1]


def _stamps() -> NDArray[np.float32]:
    """float32 (m, 64), 0 or 1: what is compared, without a corner of 15 blocks, a border of 16, or
    nothing."""
    kept = [np.ones((BLOCKS, BLOCKS), np.bool_)]
    for high, wide in ((3, 5), (5, 3), (2, BLOCKS), (BLOCKS, 2)):
        for top in (0, BLOCKS - high):
            for left in (0, BLOCKS - wide):
                part = np.ones((BLOCKS, BLOCKS), np.bool_)
                part[top : top + high, left : left + wide] = False
                kept.append(part)
    # Borders come twice. `np.unique` would load NumPy's masked arrays, a fiftieth of a cold query.
    different = {part.tobytes(): part.ravel() for part in kept}
    return np.stack(list(different.values())).astype(np.float32)


_STAMPS = _stamps()
