"""Every picture's nearest others, by blocks of a matrix that never exists as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.clustering import Clustering

Vectors = NDArray[np.float16] | NDArray[np.float32]
Rows = NDArray[np.int64]

WHOLE = 20_000
"""Up to so many pictures each is compared with every other; that takes seconds."""
VISITED = 2
"""In larger collections, each is compared with the pictures of so many nearest clusters."""

_ROWS, _COLUMNS = 512, 8_192
"""A block: 16 MB of scores, and about 80 MB with all that is made of them."""
_NOTHING = np.float32(-2)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """m pairs of rows, `first` < `second`, each once: int64 (m,), their cosines float32 (m,).

    `rank`: int64 (m,), the better of the two's ranks in each other's answers, from 0.
    """

    first: Rows
    second: Rows
    scores: NDArray[np.float32]
    rank: Rows


def nearest_pairs(
    vectors: Vectors, clustering: Clustering, *, most: int, least_score: float
) -> Pairs:
    """The pairs of pictures of which one is among the `most` nearest of the other.

    `vectors`: (n, 512), unit rows. Pairs below `least_score` are left out. Besides the vectors and
    12 bytes for each of the `most` of every picture, 80 MB are needed, however many there are.
    """
    count = len(vectors)
    scores = np.full((count, most), _NOTHING, np.float32)
    others = np.full((count, most), -1, np.int64)
    for rows, columns in _blocks(vectors, clustering):
        block = vectors[rows].astype(np.float32) @ vectors[columns].astype(np.float32).T
        block[rows[:, None] == columns[None, :]] = _NOTHING
        _merge(scores, others, rows, columns, block)
    row, rank = np.nonzero((scores >= least_score) & (others >= 0))
    return _once(row, others[row, rank], scores[row, rank], rank, count)


def _blocks(vectors: Vectors, clustering: Clustering) -> Iterator[tuple[Rows, Rows]]:
    """Which rows are compared with which columns, every pair of them at most once."""
    for rows, columns in _visits(vectors, clustering):
        for low in range(0, len(rows), _ROWS):
            for left in range(0, len(columns), _COLUMNS):
                yield rows[low : low + _ROWS], columns[left : left + _COLUMNS]


def _visits(vectors: Vectors, clustering: Clustering) -> Iterator[tuple[Rows, Rows]]:
    everything = np.arange(len(vectors))
    if len(vectors) <= WHOLE:
        yield everything, everything
        return
    nearest = np.concatenate(
        [
            clustering.nearest(vectors[low : low + _COLUMNS].astype(np.float32), VISITED)
            for low in range(0, len(vectors), _COLUMNS)
        ]
    )
    for number in range(clustering.n_clusters):
        visiting = np.flatnonzero((nearest == number).any(axis=1))
        yield visiting, np.flatnonzero(nearest[:, 0] == number)


def _merge(
    scores: NDArray[np.float32],
    others: Rows,
    rows: Rows,
    columns: Rows,
    block: NDArray[np.float32],
) -> None:
    """Put a block's best among the best so far, which are kept best first."""
    most = scores.shape[1]
    if len(columns) > most:
        place = np.argpartition(block, len(columns) - most, axis=1)[:, -most:]
    else:
        place = np.broadcast_to(np.arange(len(columns)), (len(rows), len(columns)))
    all_scores = np.concatenate([scores[rows], np.take_along_axis(block, place, axis=1)], axis=1)
    all_others = np.concatenate([others[rows], columns[place]], axis=1)
    order = np.argsort(-all_scores, axis=1, kind="stable")[:, :most]
    scores[rows] = np.take_along_axis(all_scores, order, axis=1)
    others[rows] = np.take_along_axis(all_others, order, axis=1)


def _once(row: Rows, other: Rows, scores: NDArray[np.float32], rank: Rows, count: int) -> Pairs:
    first, second = np.minimum(row, other), np.maximum(row, other)
    order = np.lexsort((rank, first * count + second))
    first, second, scores, rank = first[order], second[order], scores[order], rank[order]
    new = np.ones(len(first), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return Pairs(first[new], second[new], scores[new], rank[new])
