"""Searches with many queries at once, and with some alone to be timed, for `searcher eval`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Took
from searcher.collection import Collection, Labels
from searcher.evaluation import DEPTH, Latency, Quality
from searcher.folder_queries import FolderQueries
from searcher.search import Searcher, embed, merge
from shared.clustering import Clustering
from shared.errors import ImageRefused, QueryError
from shared.evaluation import mean_average_precision_at, mean_precision_at_k
from shared.reading import read_file
from shared.store.protocol import Probe, VectorStore
from shared.types import Embeddings

MOST_TIMED = 100
"""Queries asked one at a time for the latency; the answers to all come from batches."""
QUERIES_PER_CALL = 32
"""Queries in one call of the store: its owner answers nobody else meanwhile."""

Probes = int | Literal["all"]
Rows = list[int]
"""Rows of a `Collection`, best first: the answer to one query."""


def clusters_searched(
    clustering: Clustering, vectors: Embeddings, probes: Probes
) -> list[tuple[str | None, ...]]:
    """The labels that each query looks into, its own cluster first; ``(None,)`` for everything."""
    if probes == "all":
        return [(None,)] * len(vectors)
    nearest = clustering.nearest(vectors, probes)
    return [tuple(clustering.label(int(number)) for number in row) for row in nearest]


@dataclass(frozen=True, slots=True, eq=False)
class BatchSearch:
    """Answers many queries from one store, their own points left out.

    `vectors` float32 (n, 512); `own` int64 (n,), the row of each query's own point or -1; `depth`
    results are wanted, and there are fewer where the searched clusters hold fewer.
    """

    store: VectorStore
    collection: Collection
    vectors: Embeddings
    own: NDArray[np.int64]
    depth: int

    def answers(self, clusters: Sequence[tuple[str | None, ...]]) -> list[Rows]:
        """The rows that each query finds in its clusters. Raises `StoreError`."""
        return [
            rows
            for start in range(0, len(self.vectors), QUERIES_PER_CALL)
            for rows in self._call(slice(start, start + QUERIES_PER_CALL), clusters)
        ]

    def _call(self, part: slice, clusters: Sequence[tuple[str | None, ...]]) -> Iterator[Rows]:
        """One batch; a point more than wanted is asked for, because the own one is taken out."""
        number = self.depth + 1
        probes = [
            [Probe(vector, cluster, number) for cluster in labels]
            for vector, labels in zip(self.vectors[part], clusters[part], strict=True)
        ]
        found = iter(self.store.search([one for row in probes for one in row], with_records=False))
        for row, own in zip(probes, self.own[part], strict=True):
            best = merge([next(found) for _ in row], number)
            # Points that were added since the collection was read have no row and no label.
            rows = [self.collection.rows.get(image.id, own) for image in best]
            yield [place for place in rows if place != own][: self.depth]


def quality(labels: Labels, answers: Sequence[Rows], k: int) -> Quality | None:
    """P@k and mAP@100 over the queries that count; None if none does."""
    relevant = [
        labels.relevant(one, answers[one]) for one in np.flatnonzero(labels.counts).tolist()
    ]
    if not relevant:
        return None
    return Quality(mean_precision_at_k(relevant, k), mean_average_precision_at(relevant, DEPTH))


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of `queries` queries asked one at a time, by stage and by `Probes`."""

    queries: int
    stages: Mapping[str, Latency]
    searches: Mapping[Probes, Latency]


def time_queries(searcher: Searcher, asked: FolderQueries, k: int) -> Timing:
    """Ask with up to `MOST_TIMED` files, evenly spread, each alone as `searcher query` does.

    Reading the file is not part of *decode*; *search* includes counting and reading the results'
    payloads. One stage after the other, so that none is timed with caches that another filled.
    Raises `QueryError` if no file can be read any more.
    """
    spread = np.linspace(0, len(asked.paths) - 1, min(len(asked.paths), MOST_TIMED))
    took, vectors = list[Took](), list[NDArray[np.float32]]()
    for row in spread.round().astype(int).tolist():
        try:
            data, _ = read_file(asked.file(row), searcher.limits)
            vector, spent = embed(searcher.encoder, data, searcher.limits)
        except ImageRefused:
            continue  # changed since it was encoded
        took.append(spent)
        vectors.append(vector)
    if not took:
        raise QueryError(f"the files in {asked.folder} have changed meanwhile: try again")
    own_cluster = _latency([searcher.ask_vector(vector, k).took.search for vector in vectors])
    everything = _latency([_exact_ms(searcher.store, vector, k) for vector in vectors])
    stages = {
        "decode": _latency([one.decode for one in took]),
        "encode": _latency([one.encode for one in took]),
        "search": own_cluster,
    }
    return Timing(len(took), stages, {1: own_cluster, "all": everything})


def _exact_ms(store: VectorStore, vector: NDArray[np.float32], k: int) -> float:
    """What `Searcher.ask_vector` asks of the store, for the whole collection."""
    started = perf_counter()
    store.count()
    store.search([Probe(vector, None, k)])
    return (perf_counter() - started) * 1000


def _latency(milliseconds: Sequence[float]) -> Latency:
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return Latency(float(p50), float(p99))
