"""Lays one small picture over another: scale and shift along both edges, brightness and contrast.

Gauss-Newton from coarse to fine (Lucas and Kanade, *An iterative image registration technique*,
1981), each pixel weighted by how well it fits (the Geman-McClure weight), so that a stamp on one of
the two does not pull the rest along. Many pairs go through at once.
"""

from __future__ import annotations

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


def moved(pictures: Greys, shifts: Shifts) -> tuple[Greys, NDArray[np.bool_]]:
    """The pictures under their shifts (bilinear), and where they have pixels at all."""
    across, inside_x = _resampling(pictures.shape[2], shifts[:, 0], shifts[:, 1])
    down, inside_y = _resampling(pictures.shape[1], shifts[:, 2], shifts[:, 3])
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    laid = np.matmul(np.matmul(down, pictures), across.transpose(0, 2, 1))
    return laid.astype(np.float32, copy=False), inside


def correlation(first: Greys, second: Greys, shifts: Shifts) -> NDArray[np.float32]:
    """float32 (n,) in [-1, 1]: the median of the rows' correlations; a stamp hardly counts."""
    over, inside = moved(first, shifts)
    seen = np.maximum(inside.sum(axis=2, keepdims=True), 1)
    a = (over - (over * inside).sum(axis=2, keepdims=True) / seen) * inside
    b = (second - (second * inside).sum(axis=2, keepdims=True) / seen) * inside
    lengths = np.sqrt((a * a).sum(axis=2) * (b * b).sum(axis=2))
    middle: NDArray[np.float32] = np.median(((a * b).sum(axis=2) + 1) / (lengths + 1), axis=1)
    return middle


def shrunk(pictures: Greys, edge: int) -> Greys:
    """The pictures at a smaller edge that divides theirs, by means of squares."""
    factor = pictures.shape[1] // edge
    small: Greys = pictures.reshape(-1, edge, factor, edge, factor).mean(axis=(2, 4))
    return small


def softened(pictures: Greys) -> Greys:
    """The pictures under a binomial filter, 1-2-1 along both edges."""
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    soft = (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 4
    return soft.astype(np.float32, copy=False)


def _places(edge: int) -> NDArray[np.float32]:
    """The middles of an edge's pixels, in [-1, 1]."""
    return ((np.arange(edge, dtype=np.float32) + 0.5) / edge * 2 - 1).astype(np.float32)


def _resampling(
    edge: int, growth: NDArray[np.float32], shift: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The matrices (n, edge, edge) that resample one edge, and which of its pixels lie inside."""
    wanted = _places(edge)[None] * (1 + growth[:, None]) + shift[:, None]
    pixel = (wanted + 1) / 2 * edge - 0.5
    inside = (pixel >= -0.5) & (pixel <= edge - 0.5)
    apart = np.abs(np.clip(pixel, 0, edge - 1)[:, :, None] - np.arange(edge, dtype=np.float32))
    return np.maximum(0, 1 - apart).astype(np.float32), inside


def _step(first: Greys, second: Greys, shifts: Shifts) -> Shifts:
    """One Gauss-Newton step, solved together with the second picture's contrast and brightness."""
    count, edge, _ = first.shape
    over, inside = moved(first, shifts)
    gain, bias = _light(over, second, inside)
    wrong = second - (gain[:, None, None] * over + bias[:, None, None])
    usual = 1.4826 * np.median(np.abs(wrong).reshape(count, -1), axis=1) + _NOISE
    weights = inside / (1 + (wrong / (2 * usual[:, None, None])) ** 2) ** 2
    slope_y, slope_x = np.gradient(over, axis=(1, 2))
    levels = gain[:, None, None] * np.float32(edge / 2)
    slope_x, slope_y, places = slope_x * levels, slope_y * levels, _places(edge)
    columns = [slope_x * places, slope_x, slope_y * places[:, None], slope_y, over]
    jacobian = np.stack([*columns, np.ones_like(over)], axis=-1).reshape(count, -1, 6)
    weighted = jacobian * weights.reshape(count, -1, 1)
    normal = weighted.transpose(0, 2, 1) @ jacobian
    damping = np.einsum("nii->ni", normal) * _DAMPING + _DAMPING
    normal = normal + damping[:, :, None] * np.eye(6, dtype=np.float32)
    right = (weighted * wrong.reshape(count, -1, 1)).sum(axis=1)
    step: Shifts = np.linalg.solve(normal, right[..., None])[:, :4, 0].astype(np.float32)
    return step


def _light(
    over: Greys, second: Greys, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The contrast and brightness, float32 (n,) each, that make the first most like the second."""
    seen = np.maximum(inside.sum(axis=(1, 2)), 1)[:, None, None]
    mean_a = (over * inside).sum(axis=(1, 2), keepdims=True) / seen
    mean_b = (second * inside).sum(axis=(1, 2), keepdims=True) / seen
    a, b = (over - mean_a) * inside, (second - mean_b) * inside
    gain = (a * b).sum(axis=(1, 2)) / ((a * a).sum(axis=(1, 2)) + _DAMPING * seen[:, 0, 0])
    gain = np.clip(gain, 0.4, 2.5).astype(np.float32)
    return gain, (mean_b[:, 0, 0] - gain * mean_a[:, 0, 0]).astype(np.float32)
