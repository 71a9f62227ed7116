"""Searches with many queries at once, and with some alone to be timed, for `searcher eval`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Took
from searcher.quality.collection import Collection, Labels
from searcher.quality.folder_queries import FolderQueries
from searcher.quality.results import DEPTH, Latency, Quality
from searcher.query.options import Probes, Request
from searcher.search import Searcher, embed, merge
from shared.errors import ImageRefused, QueryError
from shared.evaluation import mean_average_precision_at, mean_precision_at_k
from shared.reading import read_file
from shared.store.protocol import Probe, VectorStore
from shared.types import Embeddings, ScoredImage

MOST_TIMED = 100
"""Queries asked one at a time for the latency; the answers to all come from batches."""
QUERIES_PER_CALL = 8
"""Queries in one call of the store: its owner answers nobody else meanwhile."""

Looked = tuple[str | None, ...]
"""Labels of the clusters that one query looks into; ``(None,)`` is the whole collection."""

Rows = list[int]
"""Rows of a `Collection`, best first: the answer to one query."""


def ways(n_clusters: int, *, calibrated: bool) -> tuple[Probes, ...]:
    """The probes that are compared: 1, 2, 4 and so on, *auto* where it can be asked for, *all*."""
    doubled = [2**power for power in range(n_clusters.bit_length()) if 2**power < n_clusters]
    return (*(doubled or [1]), *(["auto"] if calibrated else []), "all")


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels that each query searches, and the mean recall expected, None if unknown."""

    looked: tuple[Looked, ...]
    expected: float | None


def choose_clusters(searcher: Searcher, vectors: Embeddings, request: Request) -> Choice:
    """Choose the clusters of each query, its predicted cluster first; ``(None,)`` is everything."""
    chosen = [searcher.chooser.choose(row[None], request) for row in vectors]
    expected = [one.recall.value for one in chosen if one.recall is not None]
    return Choice(
        tuple(
            (None,) if one.is_all else tuple(map(searcher.clustering.label, one.clusters))
            for one in chosen
        ),
        float(np.mean(expected)) if len(expected) == len(chosen) else None,
    )


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

    def answers(self, looked: Mapping[Probes, Sequence[Looked]]) -> dict[Probes, list[Rows]]:
        """For each way to search, the rows that each query finds in its clusters.

        A cluster that several ways look into is searched once. Raises `StoreError`.
        """
        found: dict[Probes, list[Rows]] = {way: [] for way in looked}
        for start in range(0, len(self.vectors), QUERIES_PER_CALL):
            rows = range(start, min(start + QUERIES_PER_CALL, len(self.vectors)))
            wanted = list(
                dict.fromkeys(
                    (row, one) for row in rows for labels in looked.values() for one in labels[row]
                )
            )
            # A point more than wanted is asked for, because the own one is taken out.
            probes = [Probe(self.vectors[row], label, self.depth + 1) for row, label in wanted]
            lists = self.store.search(probes, with_records=False)
            hits = dict(zip(wanted, lists, strict=True))
            for way, labels in looked.items():
                found[way] += [
                    self._rows(row, [hits[row, one] for one in labels[row]]) for row in rows
                ]
        return found

    def _rows(self, query: int, lists: Sequence[Sequence[ScoredImage]]) -> Rows:
        own = int(self.own[query])
        # Points that were added since the collection was read have no row and no label.
        best = merge(lists, self.depth + 1)
        rows = [self.collection.rows.get(image.id, own) for image in best]
        return [place for place in rows if place != own][: self.depth]


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


def time_queries(searcher: Searcher, asked: FolderQueries, requests: Sequence[Request]) -> Timing:
    """Ask with up to `MOST_TIMED` files, evenly spread, each alone as `searcher query` does, in
    each of the ways of `requests`; the first counts as the search's own stage.

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
    searches = {
        one.probes: _latency([searcher.search(row, one).took.search for row in vectors])
        for one in requests
    }
    stages = {
        "decode": _latency([one.decode for one in took]),
        "encode": _latency([one.encode for one in took]),
        "search": searches[requests[0].probes],
    }
    return Timing(len(took), stages, searches)


def _latency(milliseconds: Sequence[float]) -> Latency:
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return Latency(float(p50), float(p99))
