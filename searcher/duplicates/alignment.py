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


def aligned(first: Greys, second: Greys, start: Shifts, rounds: int) -> Shifts:
    """The shifts after some rounds from `start` that lay `first` over `second` best."""
    shifts = start
    for _ in range(rounds):
        shifts = np.clip(shifts + _step(first, second, shifts), -FURTHEST, FURTHEST)
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
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    soft = (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 4
    return soft.astype(np.float32, copy=False)


@cache
def _means(edge: int, smaller: int) -> NDArray[np.float32]:
    """float32 (smaller, edge): what makes the means of an edge's equal parts."""
    parts = np.repeat(np.eye(smaller, dtype=np.float32), edge // smaller, axis=1)
    parts *= smaller / edge
    parts.flags.writeable = False
    return parts


@cache
def _places(edge: int) -> NDArray[np.float32]:
    """The middles of an edge's pixels, in [-1, 1]."""
    middles = ((np.arange(edge, dtype=np.float32) + 0.5) / edge * 2 - 1).astype(np.float32)
    middles.flags.writeable = False
    return middles


def _resampling(edge: int, shifts: Shifts) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The matrices (n, 2, edge, edge) that resample along x and y, and which pixels lie inside."""
    wanted = _places(edge) * (1 + shifts[:, 0::2, None]) + shifts[:, 1::2, None]
    pixel = (wanted + 1) * np.float32(edge / 2) - np.float32(0.5)
    inside = (pixel >= -0.5) & (pixel <= edge - 0.5)
    held = np.minimum(np.maximum(pixel, 0), edge - 1)
    apart = np.abs(held[:, :, :, None] - np.arange(edge, dtype=np.float32))
    return np.maximum(0, 1 - apart), inside


def _step(first: Greys, second: Greys, shifts: Shifts) -> Shifts:
    """One Gauss-Newton step, solved together with the second picture's contrast and brightness."""
    count = len(first)
    over, inside = moved(first, shifts)
    gain, bias = _light(over, second, inside)
    wrong = second - (gain[:, None, None] * over + bias[:, None, None])
    usual = np.float32(1.4826) * median(np.abs(wrong).reshape(count, -1)) + np.float32(_NOISE)
    weights = inside / (1 + (wrong / (2 * usual[:, :, None])) ** 2) ** 2
    jacobian = _jacobian(over, gain)
    weighted = jacobian * weights.reshape(count, 1, -1)
    normal = weighted @ jacobian.transpose(0, 2, 1)
    damping = np.einsum("nii->ni", normal) * np.float32(_DAMPING) + np.float32(_DAMPING)
    normal = normal + damping[:, :, None] * np.eye(6, dtype=np.float32)
    right = weighted @ wrong.reshape(count, -1, 1)
    step: Shifts = np.linalg.solve(normal, right)[:, :4, 0].astype(np.float32, copy=False)
    return step


def _jacobian(over: Greys, gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (n, 6, edge * edge): how each pixel changes with the four shifts and the light."""
    count, edge, _ = over.shape
    levels = gain[:, None, None] * np.float32(edge / 2)
    slope_x = _slopes(over) * levels
    slope_y = _slopes(over.transpose(0, 2, 1)).transpose(0, 2, 1) * levels
    found, places = np.empty((count, 6, edge, edge), np.float32), _places(edge)
    found[:, 0], found[:, 1] = slope_x * places, slope_x
    found[:, 2], found[:, 3] = slope_y * places[:, None], slope_y
    found[:, 4], found[:, 5] = over, 1
    return found.reshape(count, 6, -1)


def _slopes(pictures: Greys) -> Greys:
    """The slopes along x, central differences but at the border."""
    slopes = np.empty_like(pictures)
    slopes[:, :, 1:-1] = (pictures[:, :, 2:] - pictures[:, :, :-2]) / 2
    slopes[:, :, 0] = pictures[:, :, 1] - pictures[:, :, 0]
    slopes[:, :, -1] = pictures[:, :, -1] - pictures[:, :, -2]
    return slopes


def _light(
    over: Greys, second: Greys, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The contrast and brightness, float32 (n,) each, that make the first most like the second."""
    seen = np.maximum(inside.sum(axis=(1, 2)), 1)[:, None, None]
    mean_a = (over * inside).sum(axis=(1, 2), keepdims=True) / seen
    mean_b = (second * inside).sum(axis=(1, 2), keepdims=True) / seen
    a, b = (over - mean_a) * inside, (second - mean_b) * inside
    gain = (a * b).sum(axis=(1, 2)) / ((a * a).sum(axis=(1, 2)) + _DAMPING * seen[:, 0, 0])
    gain = np.minimum(np.maximum(gain, 0.4), 2.5).astype(np.float32, copy=False)
    return gain, (mean_b[:, 0, 0] - gain * mean_a[:, 0, 0]).astype(np.float32)
