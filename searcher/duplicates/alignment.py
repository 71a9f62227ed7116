"""Lays one small picture over another: scale and shift along both edges, brightness and contrast.

Gauss-Newton from coarse to fine (Lucas and Kanade, *An iterative image registration technique*,
1981), each pixel weighted by how well it fits (the Geman-McClure weight), so that a stamp on one of
the two does not pull the rest along. Many pairs go through at once.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Greys: TypeAlias = NDArray[np.float32]
"""float32 (n, edge, edge), 0-255."""

Shifts: TypeAlias = NDArray[np.float32]
"""float32 (n, 4): growth and shift along x, then along y, in halves of the edge.

The point u in [-1, 1] of the second picture lies at ``u * (1 + growth) + shift`` of the first.
"""

FURTHEST = 0.35
"""Bound of every growth and shift; a picture cropped by 10 % on each edge grows by 0.25."""

_NOISE = 2.0
"""Levels that a pixel may be off by and still count in full."""
_DAMPING = 1e-3
_UNKNOWN = 6
"""Growth and shift along x and along y, contrast, brightness."""


def aligned(first: Greys, second: Greys, start: Shifts, rounds: int) -> Shifts:
    """The shifts after some rounds from `start` that lay `first` over `second` best."""
    shifts, steps = start, _Steps(first, second)
    for _ in range(rounds):
        shifts = np.minimum(np.maximum(shifts + steps.step(shifts), -FURTHEST), FURTHEST)
    return shifts


def median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of every row of float32 (n, m), as (n, 1).

    For the short rows here `np.median` spends five times as long on looking at its arguments.
    """
    low, high = (values.shape[1] - 1) // 2, values.shape[1] // 2
    sorted_there = np.partition(values, (low, high), axis=1)
    both = sorted_there[:, low, None] + sorted_there[:, high, None]
    middle: NDArray[np.float32] = both / np.float32(2)
    return middle


def moved(pictures: Greys, shifts: Shifts) -> tuple[Greys, NDArray[np.bool_]]:
    """The pictures under their shifts (bilinear), and where they have pixels at all."""
    both, within = _resampling(pictures.shape[1], shifts)
    inside = within[:, 1, :, None] & within[:, 0, None, :]
    laid = np.matmul(np.matmul(both[:, 1], pictures), both[:, 0].transpose(0, 2, 1))
    return laid.astype(np.float32, copy=False), inside


def correlation(first: Greys, second: Greys, shifts: Shifts) -> NDArray[np.float32]:
    """float32 (n,) in [-1, 1]: the median of the rows' correlations; a stamp hardly counts."""
    over, inside = moved(first, shifts)
    seen = np.maximum(inside.sum(axis=2, keepdims=True), 1)
    a = (over - (over * inside).sum(axis=2, keepdims=True) / seen) * inside
    b = (second - (second * inside).sum(axis=2, keepdims=True) / seen) * inside
    lengths = np.sqrt((a * a).sum(axis=2) * (b * b).sum(axis=2))
    return median(((a * b).sum(axis=2) + 1) / (lengths + 1))[:, 0]


def shrunk(pictures: Greys, edge: int) -> Greys:
    """The pictures at a smaller edge that divides theirs, by means of squares."""
    means = _means(pictures.shape[1], edge)
    small: Greys = np.matmul(np.matmul(means, pictures), means.T)
    return small


def softened(pictures: Greys) -> Greys:
    """The pictures under a binomial filter, 1-2-1 along both edges."""
    binomial = _binomial(pictures.shape[1])
    soft: Greys = np.matmul(np.matmul(binomial, pictures), binomial.T)
    return soft


@cache
def _means(edge: int, smaller: int) -> NDArray[np.float32]:
    """float32 (smaller, edge): what makes the means of an edge's equal parts."""
    parts = np.repeat(np.eye(smaller, dtype=np.float32), edge // smaller, axis=1)
    parts *= smaller / edge
    parts.flags.writeable = False
    return parts


@cache
def _binomial(edge: int) -> NDArray[np.float32]:
    """float32 (edge, edge): what filters an edge by 1-2-1, its ends repeated beyond it."""
    rows = (2 * np.eye(edge) + np.eye(edge, k=1) + np.eye(edge, k=-1)) / 4
    rows[[0, -1], [0, -1]] = 0.75
    filtering: NDArray[np.float32] = rows.astype(np.float32)
    filtering.flags.writeable = False
    return filtering


@cache
def _places(edge: int) -> NDArray[np.float32]:
    """The middles of an edge's pixels, in [-1, 1]."""
    middles = ((np.arange(edge, dtype=np.float32) + 0.5) / edge * 2 - 1).astype(np.float32)
    middles.flags.writeable = False
    return middles


@cache
def _slopes(edge: int) -> NDArray[np.float32]:
    """float32 (2, edge, edge): rows times the first are slopes times places, times the second the
    slopes: central differences but at the border."""
    slopes = (np.eye(edge, k=-1) - np.eye(edge, k=1)) / 2
    slopes[:2, 0], slopes[-2:, -1] = (-1, 1), (-1, 1)
    both = np.stack([slopes * _places(edge), slopes]).astype(np.float32)
    both.flags.writeable = False
    return both


def _resampling(edge: int, shifts: Shifts) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The matrices (n, 2, edge, edge) that resample along x and y, and which pixels lie inside."""
    wanted = _places(edge) * (1 + shifts[:, 0::2, None]) + shifts[:, 1::2, None]
    pixel = (wanted + 1) * np.float32(edge / 2) - np.float32(0.5)
    inside = (pixel >= -0.5) & (pixel <= edge - 0.5)
    held = np.minimum(np.maximum(pixel, 0), edge - 1)
    apart = held[:, :, :, None] - np.arange(edge, dtype=np.float32)
    np.abs(apart, out=apart)
    np.subtract(1, apart, out=apart)
    return np.maximum(apart, 0, out=apart), inside


class _Steps:
    """Gauss-Newton steps between n pairs of pictures, solved together with the second ones'
    contrast and brightness.

    Most calls are for a handful of small pictures, where NumPy's calls cost more than their sums:
    so sums are rows of few products, and the memory is the same in every round.
    """

    def __init__(self, first: Greys, second: Greys) -> None:
        count, edge, _ = first.shape
        self._first, self._second = first, second.reshape(count, -1)
        # How each pixel changes with the four shifts and the light, and what is wrong with it.
        self._rows = np.ones((count, _UNKNOWN + 1, edge, edge), np.float32)
        self._flat = self._rows.reshape(count, _UNKNOWN + 1, -1)

    def step(self, shifts: Shifts) -> Shifts:
        """float32 (n, 4): by how much the shifts are to change."""
        count, edge, _ = self._first.shape
        over = self._rows[:, 4]
        both, within = _resampling(edge, shifts)
        np.matmul(np.matmul(both[:, 1], self._first), both[:, 0].transpose(0, 2, 1), out=over)
        inside = (within[:, 1, :, None] & within[:, 0, None, :]).reshape(count, -1)
        slopes = _slopes(edge)
        np.matmul(over[:, None], slopes, out=self._rows[:, 0:2])
        np.matmul(slopes.transpose(0, 2, 1), over[:, None], out=self._rows[:, 2:4])
        gain = self._wrong(inside)
        weighted = self._flat[:, :_UNKNOWN] * self._weights(inside)[:, None]
        system = weighted @ self._flat.transpose(0, 2, 1)
        # The slopes are those of the first picture, by the pixel.
        levels = np.ones((count, _UNKNOWN, 1), np.float32)
        levels[:, :4] = gain[:, :, None] * np.float32(edge / 2)
        normal = system[:, :, :_UNKNOWN] * levels * levels.transpose(0, 2, 1)
        damping = np.einsum("nii->ni", normal) * np.float32(_DAMPING) + np.float32(_DAMPING)
        normal += damping[:, :, None] * np.eye(_UNKNOWN, dtype=np.float32)
        found: Shifts = np.linalg.solve(normal, system[:, :, _UNKNOWN:] * levels)[:, :4, 0]
        return found

    def _wrong(self, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Fill the row of what is wrong; the contrasts (n, 1) under which it is least."""
        over, light, second = self._flat[:, 4], self._flat[:, 4:6], self._second
        masked = light * inside[:, None]
        sums, cross = masked @ light.transpose(0, 2, 1), masked @ second[:, :, None]
        sum_a, sum_b, seen = sums[:, 0, 1:], cross[:, 1], np.maximum(sums[:, 1, 1:], 1)
        square, product = sums[:, 0, :1] - sum_a**2 / seen, cross[:, 0] - sum_a * sum_b / seen
        slope = product / (np.maximum(square, 0) + np.float32(_DAMPING) * seen)
        gain: NDArray[np.float32] = np.minimum(np.maximum(slope, 0.4), 2.5)
        wrong = self._flat[:, _UNKNOWN]
        np.subtract(second, gain * over, out=wrong)
        wrong -= (sum_b - gain * sum_a) / seen
        return gain

    def _weights(self, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32 (n, edge * edge): what each pixel counts, the less the more is wrong with it."""
        wrong = self._flat[:, _UNKNOWN]
        usual = np.float32(1.4826) * median(np.abs(wrong)) + np.float32(_NOISE)
        weights = wrong * (np.float32(0.5) / usual)
        weights *= weights
        weights += 1
        weights *= weights
        return np.divide(inside, weights, out=weights)
