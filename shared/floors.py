"""What an encoder must beat on the same pictures: raw pixels, PCA, colour and gradient histograms.

None of them has learnt to see; an encoder that ranks worse than they do has not either. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.types import PIXELS_VERSION, Pixels, PixelSpec

SPEC = PixelSpec(size=64, version=PIXELS_VERSION)
"""The pixels that every floor sees."""
PCA_COMPONENTS = 512
"""As many numbers as a vector of the store has."""
LEVELS = 8
"""Bins per colour channel; 8 x 8 x 8 bins are 512 numbers as well."""
CELLS = 4
"""Cells per edge of the gradient histogram."""
ORIENTATIONS = 9
"""Bins over the half circle, as in Dalal and Triggs; 4 x 4 x 9 are 144 numbers."""

_OVERSAMPLING = 32
_POWER_ITERATIONS = 2
_BLOCK = 1_000

Rows = NDArray[np.float32]
"""float32 (n, d), rows of unit L2 length: inner products are cosines."""

Features = Callable[[Pixels], Rows]
"""uint8 (n, 64, 64, 3) to `Rows`."""


def fit_floors(points: Pixels) -> dict[str, Features]:
    """Every floor by name, fitted on the pictures of a collection, uint8 (n, 64, 64, 3), n >= 1."""
    mean = gradient_histograms(points).mean(axis=0)
    return {
        "raw_pixels": raw_pixels,
        "pca_512": Pca.fit(points).project,
        "color_histogram": color_histograms,
        "gradient_histogram": partial(_centred_gradients, mean),
    }


def raw_pixels(pictures: Pixels) -> Rows:
    """uint8 (n, h, w, 3) to float32 (n, h * w * 3): the pixels themselves; black gives zeros."""
    return _unit(_flat(pictures).astype(np.float32))


def gradient_histograms(pictures: Pixels) -> Rows:
    """uint8 (n, h, w, 3) to float32 (n, 144): gradient magnitude by cell and orientation.

    Of the grey picture, in 4 x 4 cells with 9 unsigned orientations each; a flat picture gives
    zeros. Dalal and Triggs, *Histograms of oriented gradients for human detection* (2005), without
    their blocks and interpolation.
    """
    height, width = pictures.shape[1:3]
    cells = np.arange(height)[:, None] * CELLS // height * CELLS + np.arange(width) * CELLS // width
    rows = np.empty((len(pictures), CELLS * CELLS * ORIENTATIONS), np.float32)
    for row, picture in zip(rows, pictures, strict=True):
        down, right = np.gradient(picture.mean(axis=2))
        turn = np.arctan2(down, right) % np.pi * (ORIENTATIONS / np.pi)
        bins = cells * ORIENTATIONS + turn.astype(np.int64) % ORIENTATIONS
        row[:] = np.bincount(bins.ravel(), np.hypot(down, right).ravel(), rows.shape[1])
    return _unit(rows)


def _centred_gradients(mean: NDArray[np.float32], pictures: Pixels) -> Rows:
    return _unit(gradient_histograms(pictures) - mean)


def _unit(rows: Rows) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Rows = rows / np.maximum(lengths, 1e-12)
    return unit


def color_histograms(pictures: Pixels) -> Rows:
    """uint8 (n, h, w, 3) to float32 (n, 512): square roots of the shares of 8 x 8 x 8 RGB bins.

    Rows have unit L2 length, so their inner product is one minus the squared Hellinger distance.
    """
    rows = np.empty((len(pictures), LEVELS**3), np.float32)
    for row, picture in zip(rows, pictures, strict=True):
        level = picture.reshape(-1, 3).astype(np.int64) * LEVELS // 256
        bins = (level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]
        row[:] = np.sqrt(np.bincount(bins, minlength=LEVELS**3) / len(bins))
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Pca:
    """`mean` float32 (d,) and orthonormal `components` float32 (c, d) of pixels in [0, 1]."""

    mean: NDArray[np.float32]
    components: Rows

    @classmethod
    def fit(cls, pictures: Pixels, components: int = PCA_COMPONENTS, *, seed: int = 0) -> Pca:
        """The leading components of n pictures, fewer if they span less; n must be at least 1.

        Randomized subspace iteration, algorithms 4.4 and 5.1 of Halko, Martinsson and Tropp,
        *Finding structure with randomness* (2011): exact for up to `components` + 32 pictures, and
        beyond that it needs neither the pictures in float nor their covariance in memory.
        """
        flat = _flat(pictures)
        mean = flat.mean(axis=0, dtype=np.float64).astype(np.float32) / 255
        width = min(*flat.shape, components + _OVERSAMPLING)
        guess = np.random.default_rng(seed).standard_normal((flat.shape[1], width), np.float32)
        basis = np.linalg.qr(_times(flat, mean, guess)).Q
        for _ in range(_POWER_ITERATIONS):
            guess = np.linalg.qr(_transposed_times(flat, mean, basis)).Q
            basis = np.linalg.qr(_times(flat, mean, guess)).Q
        small = _transposed_times(flat, mean, basis).T.astype(np.float64)
        values, vectors = np.linalg.eigh(small @ small.T)
        order = np.argsort(values)[::-1][:components]
        order = order[values[order] > 1e-9 * max(values.max(), 1.0)]
        found = (vectors[:, order].T @ small) / np.sqrt(values[order])[:, None]
        return cls(mean, found.astype(np.float32))

    def project(self, pictures: Pixels) -> Rows:
        """float32 (n, c), rows of unit L2 length; a picture that equals the mean gives zeros."""
        return _unit(_times(_flat(pictures), self.mean, self.components.T))


def ranked(queries: Rows, points: Rows, own: NDArray[np.int64], depth: int) -> list[list[int]]:
    """For each query, up to `depth` rows of `points` by falling inner product.

    `own` int64 (q,): the row that is the query itself and no answer, or -1.
    """
    depth = min(depth, len(points))
    answers: list[list[int]] = []
    for start in range(0, len(queries), _BLOCK):
        mine = own[start : start + _BLOCK, None]
        scores = queries[start : start + _BLOCK] @ points.T
        indexed = np.flatnonzero(mine >= 0)
        scores[indexed, mine[indexed, 0]] = -np.inf
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        rows = np.take_along_axis(best, order, axis=1)
        answers += [row[row != itself].tolist() for row, itself in zip(rows, mine, strict=True)]
    return answers


def _flat(pictures: Pixels) -> Pixels:
    """uint8 (n, d); n may be 0, so d is not left to be guessed."""
    return pictures.reshape(len(pictures), math.prod(pictures.shape[1:]))


def _blocks(flat: Pixels, mean: NDArray[np.float32]) -> Iterator[tuple[slice, Rows]]:
    """The centred pixels in [0, 1], some rows at a time: all at once would be gigabytes."""
    for start in range(0, len(flat), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield part, flat[part].astype(np.float32) / np.float32(255) - mean


def _times(flat: Pixels, mean: NDArray[np.float32], right: Rows) -> Rows:
    product = np.empty((len(flat), right.shape[1]), np.float32)
    for part, block in _blocks(flat, mean):
        product[part] = block @ right
    return product


def _transposed_times(flat: Pixels, mean: NDArray[np.float32], right: Rows) -> Rows:
    product = np.zeros((flat.shape[1], right.shape[1]), np.float32)
    for part, block in _blocks(flat, mean):
        product += block.T @ right[part]
    return product
