"""Measures on a collection's own vectors what a search in few clusters finds. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.calibration import Calibration, margins
from shared.clustering import Clustering
from shared.types import Embeddings

QUERIES = 1_000
"""Vectors that ask: the standard error of the recall is then about .004."""

NEIGHBOURS = 10

_LIMITS = 200
_PAIRS = 200_000
_BLOCK = 2**24
"""Most cosines held at a time: 64 MB."""
_ASKING, _PAIRED = 21, 22  # first words of the random streams' keys


def calibrate(
    vectors: Embeddings, clustering: Clustering, seed: int, *, queries: int = QUERIES
) -> Calibration | None:
    """What each number of probes and each limit of the margin finds of the exact top ten.

    At most `queries` of float32 (n, 512), drawn by `seed`, ask all others. None with fewer than
    three vectors.
    """
    if len(vectors) < 3:
        return None
    asking = _drawn(len(vectors), queries, (_ASKING, seed))
    labels = clustering.predict(vectors)
    shares, nearest = _where_neighbours_lie(vectors, asking, labels, clustering.n_clusters)
    sizes = np.bincount(labels, minlength=clustering.n_clusters) / len(vectors)
    gaps = margins(clustering, vectors[asking])
    limits = _limits(gaps)
    recall, error, coverage = np.transpose([_of_limit(gaps, shares, sizes, one) for one in limits])
    order = np.argsort(clustering.distances(vectors[asking]), axis=1, kind="stable")
    steps = np.linspace(0, 1, 101)
    tail = np.concatenate([steps[:-1], 0.99 + steps[1:-1] / 100, 0.9999 + steps / 10_000])
    pairs = _pair_scores(vectors, seed)
    return Calibration(
        k=min(NEIGHBOURS, len(vectors) - 1),
        queries=len(asking),
        probe_recall=_f32(np.take_along_axis(shares, order, 1).mean(0).cumsum()),
        probe_coverage=_f32(sizes[order].mean(0).cumsum()),
        margins=_f32(limits),
        margin_recall=_f32(recall),
        margin_error=_f32(error),
        margin_coverage=_f32(coverage),
        pair_shares=_f32(np.unique(tail)),
        pair_scores=_f32(np.quantile(pairs, np.unique(tail))),
        nearest_scores=_f32(np.quantile(nearest, steps)),
    )


def _where_neighbours_lie(
    vectors: Embeddings, asking: NDArray[np.int64], labels: NDArray[np.int64], n_clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """float64 (q, n_clusters), the share of each query's exact neighbours in each cluster, and
    float32 (q,), the cosine of the nearest."""
    k = min(NEIGHBOURS, len(vectors) - 1)
    shares = np.zeros((len(asking), n_clusters))
    nearest = np.empty(len(asking), np.float32)
    for rows in _blocks(len(asking), len(vectors)):
        scores = vectors[asking[rows]] @ vectors.T
        scores[np.arange(len(scores)), asking[rows]] = -np.inf
        best = np.argpartition(scores, len(vectors) - k, axis=1)[:, -k:]
        nearest[rows] = np.take_along_axis(scores, best, 1).max(axis=1)
        np.add.at(shares[rows], (np.arange(len(best))[:, None], labels[best]), 1 / k)
    return shares, nearest


def _limits(gaps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rising limits to try, from none but the own cluster to all, densest at the small ones."""
    found = np.quantile(gaps, np.linspace(0, 1, _LIMITS) ** 2, method="higher")
    limits: NDArray[np.float32] = np.unique(np.concatenate([[0], found]).astype(np.float32))
    return limits


def _of_limit(
    gaps: NDArray[np.float32],
    shares: NDArray[np.float64],
    sizes: NDArray[np.float64],
    limit: np.float32,
) -> tuple[float, float, float]:
    """Mean recall, its standard error, and mean coverage."""
    looked = gaps <= limit
    recall = (shares * looked).sum(axis=1)
    return (
        float(recall.mean()),
        float(recall.std() / np.sqrt(len(recall))),
        float((looked * sizes).sum(axis=1).mean()),
    )


def _pair_scores(vectors: Embeddings, seed: int) -> NDArray[np.float32]:
    """Cosines of random pairs of different rows."""
    random = np.random.default_rng((_PAIRED, seed))
    one = random.integers(0, len(vectors), _PAIRS)
    other = (one + random.integers(1, len(vectors), _PAIRS)) % len(vectors)
    found = np.empty(_PAIRS, np.float32)
    for start in range(0, _PAIRS, 10_000):
        part = slice(start, start + 10_000)
        found[part] = np.einsum("ij,ij->i", vectors[one[part]], vectors[other[part]])
    return found


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK // columns)
    return (slice(start, start + step) for start in range(0, rows, step))


def _drawn(count: int, most: int, key: tuple[int, int]) -> NDArray[np.int64]:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(key).choice(count, most, replace=False))


def _f32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return values.astype(np.float32)
