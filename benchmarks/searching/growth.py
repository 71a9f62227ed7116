"""How the time of a search in one cluster grows with the cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.searching.filling import Filling
from benchmarks.searching.sides import Asking
from benchmarks.searching.timing import in_turns, on_processors
from shared.store.edge.store import EdgeStore
from shared.types import Embeddings

LARGE = 10_000
"""Clusters of so many are the upper part: below them the fixed part of a search counts for more."""


@dataclass(frozen=True, slots=True)
class Point:
    """A cluster of so many vectors, in a collection of `size`: p50 of its queries, seconds."""

    size: int
    vectors: int
    p50: float


def by_cluster(filling: Filling, size: int, queries: Embeddings, rounds: int) -> list[Point]:
    """Each cluster of a store as it is at this size, asked by those whose own it is, on one
    processor, everything in memory."""
    asking = Asking(filling, size, queries)
    own = asking.clusters.predict(queries)
    vectors = np.bincount(asking.numbers, minlength=asking.clusters.n_clusters)
    with on_processors(1):
        store = EdgeStore.open(filling.folder)
        [times] = in_turns(asking.store(store, (1,)), len(queries), rounds)
        store.close()
    return [
        Point(size, int(vectors[one]), float(np.median(times.seconds[:, own == one])))
        for one in np.unique(own)
        if vectors[one]
    ]


def exponent(points: list[Point]) -> float:
    """Slope in log-log over the large clusters; over the larger half where there are too few."""
    large = [point for point in points if point.vectors >= LARGE]
    if len({point.vectors for point in large}) < 3:
        large = sorted(points, key=lambda point: point.vectors)[len(points) // 2 :]
    vectors, seconds = ([getattr(one, name) for one in large] for name in ("vectors", "p50"))
    return float(np.polyfit(np.log(vectors), np.log(seconds), 1)[0])
