"""What a search in few clusters finds, measured on a collection's own vectors. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.calibration import Calibration, Curve, margins
from shared.clustering import Clustering
from shared.types import Embeddings

QUERIES = 1_000
"""Vectors that are queries: the standard error of the recall is then about .004."""

DEPTHS = (1, 3, 10, 30, 100, 300, 1_000)
"""Numbers of results whose recall is measured: that of thirty is .02 below that of ten, that of a
hundred .06 (`searcher eval -k`)."""

_LIMITS = 200
_PAIRS = 200_000
_BLOCK = 2**24
"""Most cosines held at a time: 64 MB."""
_ASKING, _PAIRED, _NEAREST = 21, 22, 23  # first words of the random streams' keys


def calibrate(
    vectors: Embeddings, clustering: Clustering, seed: int, *, queries: int = QUERIES
) -> Calibration | None:
    """Measure what each number of probes and each limit of the margin finds of the exact results.

    At most `queries` of float32 (n, 512), drawn by `seed`, search all others. How similar images
    usually are is measured on distinct ones: however many copies of an image there are, it counts
    once. None with fewer than three vectors.
    """
    if len(vectors) < 3:
        return None
    asking = _drawn(len(vectors), queries, (_ASKING, seed))
    labels = clustering.predict(vectors)
    depths = _depths(len(vectors) - 1)
    shares = _where_neighbours_lie(vectors, asking, labels, clustering.n_clusters, depths)
    sizes = np.bincount(labels, minlength=clustering.n_clusters) / len(vectors)
    gaps = margins(clustering, vectors[asking])
    limits = _limits(gaps)
    recall, error = np.array([_recall_of(gaps <= one, shares) for one in limits]).transpose(1, 2, 0)
    order = np.argsort(clustering.distances(vectors[asking]), axis=1, kind="stable")
    return Calibration(
        queries=len(asking),
        depths=_f32(np.array(depths, float)),
        probe_recall=_f32(np.take_along_axis(shares, order[None], 2).mean(1).cumsum(1)),
        probe_coverage=_f32(sizes[order].mean(0).cumsum()),
        margins=_f32(limits),
        margin_recall=_f32(recall),
        margin_error=_f32(error),
        margin_coverage=_f32(np.array([((gaps <= one) @ sizes).mean() for one in limits])),
        **_usual_scores(vectors[_distinct(vectors)], seed, queries),
    )


def _usual_scores(vectors: Embeddings, seed: int, queries: int) -> dict[str, Curve]:
    """Quantiles of the scores of distinct vectors: `pair_shares`, `pair_scores`, `nearest_scores`
    of a `Calibration`."""
    if len(vectors) < 3:
        return dict.fromkeys(("pair_shares", "pair_scores", "nearest_scores"), _f32(np.empty(0)))
    steps = np.linspace(0, 1, 101)
    shares = np.unique(
        np.concatenate([steps[:-1], 0.99 + steps[1:-1] / 100, 0.9999 + steps / 10_000])
    )
    return {
        "pair_shares": _f32(shares),
        "pair_scores": _f32(np.quantile(_pair_scores(vectors, seed), shares)),
        "nearest_scores": _f32(np.quantile(_nearest_scores(vectors, seed, queries), steps)),
    }


def _depths(others: int) -> list[int]:
    """The numbers of results that so many other vectors can give."""
    deepest = min(others, DEPTHS[-1])
    return [*(depth for depth in DEPTHS if depth < deepest), deepest]


def _where_neighbours_lie(
    vectors: Embeddings,
    asking: NDArray[np.int64],
    labels: NDArray[np.int64],
    n_clusters: int,
    depths: Sequence[int],
) -> NDArray[np.float64]:
    """float64 (d, q, n_clusters), the share of each query's exact results of each depth in each
    cluster."""
    deepest = depths[-1]
    shares = np.zeros((len(depths), len(asking), n_clusters))
    for rows, scores in _scores_of(vectors, asking):
        best = np.argpartition(scores, len(vectors) - deepest, axis=1)[:, -deepest:]
        found = np.take_along_axis(scores, best, 1)
        order = np.argsort(-found, axis=1)
        ranked = labels[np.take_along_axis(best, order, 1)]
        for one, depth in zip(shares, depths, strict=True):
            place = np.arange(len(ranked))[:, None], ranked[:, :depth]
            np.add.at(one[rows], place, 1 / depth)
    return shares


def _distinct(vectors: Embeddings) -> NDArray[np.int64]:
    """int64: the first row of each vector. Copies of an image have the same vector bit by bit."""
    first = {row.tobytes(): number for number, row in reversed(list(enumerate(vectors)))}
    return np.sort(np.array(list(first.values()), np.int64))


def _nearest_scores(vectors: Embeddings, seed: int, queries: int) -> NDArray[np.float32]:
    """float32 (q,): the cosine of a sample of the vectors with the nearest other one."""
    asking = _drawn(len(vectors), queries, (_NEAREST, seed))
    found = np.empty(len(asking), np.float32)
    for rows, scores in _scores_of(vectors, asking):
        found[rows] = scores.max(axis=1)
    return found


def _scores_of(
    vectors: Embeddings, asking: NDArray[np.int64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Cosines of some rows with all vectors, -inf with themselves, a block of them at a time."""
    for rows in _blocks(len(asking), len(vectors)):
        scores = vectors[asking[rows]] @ vectors.T
        scores[np.arange(len(scores)), asking[rows]] = -np.inf
        yield rows, scores


def _limits(gaps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rising limits to try, from none but the own cluster to all, densest at the small ones."""
    found = np.quantile(gaps, np.linspace(0, 1, _LIMITS) ** 2, method="higher")
    limits: NDArray[np.float32] = np.unique(np.concatenate([[0], found]).astype(np.float32))
    return limits


def _recall_of(
    searched: NDArray[np.bool_], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean recall and its standard error, float64 (d,), of searching the clusters that bool
    (q, n_clusters) has for each query."""
    recall = (shares * searched).sum(axis=2)
    return recall.mean(axis=1), recall.std(axis=1) / np.sqrt(recall.shape[1])


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
