"""Ways to ask for the nearest of some points: the embedded store's and its peers'."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.searching.filling import Filling
from shared.store.edge import EdgeStore
from shared.store.protocol import Probe
from shared.types import Embeddings

TOP = 10
PROBES = (1, 2, 4)
"""How many of the nearest clusters are searched."""
OURS, LISTS, ARRAYS = "store", "FAISS IVFFlat", "NumPy"
FLAT = "FAISS flat"


@dataclass(frozen=True, slots=True)
class Side:
    """`ask`: the number of a query to the rows of its nearest points. `probes`: clusters searched,
    0 for everything."""

    name: str
    probes: int
    ask: Callable[[int], list[int]]


class Asking:
    """The first `size` points of a filling, asked in every way."""

    def __init__(self, filling: Filling, size: int, queries: Embeddings) -> None:
        self.points, self.numbers = filling.points[:size], filling.numbers[:size]
        self.queries, self.clusters, self._ids = queries, filling.clusters, filling.ids

    def store(self, store: EdgeStore, *, with_records: bool = False) -> list[Side]:
        """Our own, in this process; the best of several clusters are merged."""

        def ask(asked: int, probes: int) -> list[int]:
            query = self.queries[asked]
            labels = self._labels(asked, probes) if probes else [None]
            found = store.search(
                [Probe(query, label, TOP) for label in labels], with_records=with_records
            )
            hits = found[0] if len(found) == 1 else _merged(found)
            return [self._ids[hit.id] for hit in hits]

        return [_side(OURS, probes, ask) for probes in (*PROBES, 0)]

    def lists(self) -> list[Side]:
        """FAISS's inverted lists of whole vectors, over our centroids."""
        centroids = faiss.IndexFlatL2(self.points.shape[1])
        centroids.add(self.clusters.centroids)
        index = faiss.IndexIVFFlat(
            centroids,
            self.points.shape[1],
            self.clusters.n_clusters,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.parallel_mode = 1  # several threads, where there are some, share one query's lists
        index.add(self.points)
        kept = centroids  # the index only points at it

        def ask(asked: int, probes: int) -> list[int]:
            index.nprobe = probes
            return _first(index.search(self.queries[asked : asked + 1], TOP)) if kept else []

        return [_side(LISTS, probes, ask) for probes in PROBES]

    def flat(self) -> list[Side]:
        """FAISS's exact scan of everything."""
        index = faiss.IndexFlatIP(self.points.shape[1])
        index.add(self.points)
        return [Side(FLAT, 0, lambda asked: _first(index.search(self.queries[asked][None], TOP)))]

    def arrays(self) -> list[Side]:
        """NumPy over each cluster as one array."""
        rows = [np.flatnonzero(self.numbers == one) for one in range(self.clusters.n_clusters)]
        parts = [self.points[some] for some in rows]

        def ask(asked: int) -> list[int]:
            cluster = int(self.clusters.nearest(self.queries[asked : asked + 1], 1)[0, 0])
            best = _best(parts[cluster] @ self.queries[asked])
            return [int(row) for row in rows[cluster][best]]

        return [Side(ARRAYS, 1, ask)]

    def flat_array(self) -> list[Side]:
        """NumPy over everything as one array, which is there anyway."""

        def ask(asked: int) -> list[int]:
            return [int(row) for row in _best(self.points @ self.queries[asked])]

        return [Side(ARRAYS, 0, ask)]

    def exact(self, queries: int) -> dict[int, list[set[int]]]:
        """By number of probes, for each of the first queries: its nearest among what they search,
        by an exact scan in float32; among everything for 0."""
        found: dict[int, list[set[int]]] = {probes: [] for probes in (*PROBES, 0)}
        for asked in range(queries):
            scores = self.points @ self.queries[asked]
            found[0].append(set(map(int, _best(scores))))
            nearest = self.clusters.nearest(self.queries[asked : asked + 1], PROBES[-1])[0]
            for probes in PROBES:
                rows = np.flatnonzero(np.isin(self.numbers, nearest[:probes]))
                found[probes].append(set(map(int, rows[_best(scores[rows])])))
        return found

    def _labels(self, asked: int, probes: int) -> list[str]:
        nearest = self.clusters.nearest(self.queries[asked : asked + 1], probes)[0]
        return [self.clusters.label(int(one)) for one in nearest]


def _side(name: str, probes: int, ask: Callable[[int, int], list[int]]) -> Side:
    return Side(name, probes, lambda asked: ask(asked, probes))


def _first(found: tuple[Any, Any]) -> list[int]:
    return [int(row) for row in found[1][0] if row >= 0]


def _merged(found: list[list[Any]]) -> list[Any]:
    every = (hit for hits in found for hit in hits)
    return heapq.nlargest(TOP, every, key=attrgetter("score"))


def _best(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    number = min(TOP, len(scores))
    if not number:
        return np.empty(0, np.int64)
    first = np.argpartition(-scores, number - 1)[:number]
    best: NDArray[np.int64] = first[np.argsort(-scores[first])]
    return best
