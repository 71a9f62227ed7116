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
from benchmarks.searching.paced import TOP
from shared.store.edge.store import EdgeStore
from shared.store.protocol import Probe
from shared.types import Embeddings, ScoredImage

PROBES = (1, 2, 4)
"""How many of the nearest clusters are searched."""
OURS, LISTS, FLAT, ARRAYS = "store", "FAISS IVFFlat", "FAISS flat", "NumPy"
_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Side:
    """`ask`: the number of a query to the rows of its nearest points. `probes`: clusters searched,
    0 for everything. `memory`: bytes of the index in memory, None for what must be measured."""

    name: str
    probes: int
    ask: Callable[[int], list[int]]
    memory: int | None = None


class Asking:
    """The first `size` points of a filling, asked in every way."""

    def __init__(self, filling: Filling, size: int, queries: Embeddings) -> None:
        self.points, self.numbers = filling.points[:size], filling.numbers[:size]
        self.queries, self.clusters, self._ids = queries, filling.clusters, filling.ids

    def store(self, store: EdgeStore, probes: tuple[int, ...]) -> list[Side]:
        """Our own, in this process; the best of several clusters are merged."""

        def ask(asked: int, probes: int) -> list[int]:
            query = self.queries[asked]
            labels = self._labels(asked, probes) if probes else [None]
            found = store.search([Probe(query, label, TOP) for label in labels], with_records=False)
            hits = found[0] if len(found) == 1 else _merged(found)
            return [self._ids[hit.id] for hit in hits]

        return [_side(OURS, number, ask) for number in probes]

    def lists(self) -> list[Side]:
        """FAISS's inverted lists of whole vectors, over our centroids."""
        centroids = faiss.IndexFlatL2(self.points.shape[1])  # lives as long as `ask`: see there
        centroids.add(self.clusters.centroids)
        index = faiss.IndexIVFFlat(
            centroids,
            self.points.shape[1],
            self.clusters.n_clusters,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.parallel_mode = 1  # several threads, where there are some, share one query's lists
        index.add(self.points)
        memory = self.points.nbytes + _ID_BYTES * len(self.points)

        def ask(asked: int, probes: int, _kept: Any = centroids) -> list[int]:
            index.nprobe = probes
            return _rows(index.search(self.queries[asked : asked + 1], TOP))

        return [_side(LISTS, probes, ask, memory) for probes in PROBES]

    def flat(self) -> Side:
        """FAISS's exact scan of everything."""
        index = faiss.IndexFlatIP(self.points.shape[1])
        index.add(self.points)

        def ask(asked: int) -> list[int]:
            return _rows(index.search(self.queries[asked : asked + 1], TOP))

        return Side(FLAT, 0, ask, self.points.nbytes)

    def arrays(self) -> Side:
        """NumPy over each cluster as one array."""
        rows = [np.flatnonzero(self.numbers == one) for one in range(self.clusters.n_clusters)]
        parts = [self.points[some] for some in rows]

        def ask(asked: int) -> list[int]:
            cluster = int(self.clusters.nearest(self.queries[asked : asked + 1], 1)[0, 0])
            best = nearest(parts[cluster] @ self.queries[asked])
            return [int(row) for row in rows[cluster][best]]

        return Side(ARRAYS, 1, ask, self.points.nbytes + _ID_BYTES * len(self.points))

    def flat_array(self) -> Side:
        """NumPy over everything as one array."""

        def ask(asked: int) -> list[int]:
            return [int(row) for row in nearest(self.points @ self.queries[asked])]

        return Side(ARRAYS, 0, ask, self.points.nbytes)

    def _labels(self, asked: int, probes: int) -> list[str]:
        numbers = self.clusters.nearest(self.queries[asked : asked + 1], probes)[0]
        return [self.clusters.label(int(one)) for one in numbers]


def nearest(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the highest scores, best first."""
    number = min(TOP, len(scores))
    if not number:
        return np.empty(0, np.int64)
    first = np.argpartition(-scores, number - 1)[:number]
    best: NDArray[np.int64] = first[np.argsort(-scores[first])]
    return best


def _side(
    name: str, probes: int, ask: Callable[[int, int], list[int]], memory: int | None = None
) -> Side:
    return Side(name, probes, lambda asked: ask(asked, probes), memory)


def _rows(found: tuple[Any, Any]) -> list[int]:
    return [int(row) for row in found[1][0] if row >= 0]


def _merged(found: list[list[ScoredImage]]) -> list[ScoredImage]:
    every = (hit for hits in found for hit in hits)
    return heapq.nlargest(TOP, every, key=attrgetter("score"))
