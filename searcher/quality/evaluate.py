"""Asks a collection with every file of a folder and measures the answers, as `searcher eval` does.

The protocol: each readable file is a query on the product's own path (decode, encode, predict the
cluster, search the store). Its own point, if it has one, is taken out of the answers. The label of
a file or point is its first folder level. Over the whole collection this compares encoders; in the
query's own cluster it tells what the default search costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from searcher.opening import Home
from searcher.quality.collection import Collection, Labels, labels_of
from searcher.quality.floor_quality import measure_floors
from searcher.quality.folder_queries import FolderQueries, encode_files, list_files, sampled
from searcher.quality.probing import (
    BatchSearch,
    Timing,
    choose_clusters,
    quality,
    time_queries,
    ways,
)
from searcher.quality.results import DEPTH, Evaluation, Probing
from searcher.query.options import Request
from searcher.search import Searcher
from shared.errors import QueryError, StoreMissing
from shared.evaluation import mean_coverage, mean_recall_at_k
from shared.store.hub import open_store
from shared.thresholds import WANTED_RECALL
from shared.types import Raw, shown_path


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure: k results, of all files or a random sample, with or without the floors.

    `labels`: a CSV of labels; None means the first folder level. `recall`: what *auto* wants, in
    (0, 1].
    """

    k: int = 10
    sample: int | None = None
    seed: int = 0
    floors: bool = True
    labels: Path | None = None
    recall: float = WANTED_RECALL


def evaluate(home: Home, folder: Path, wanted: Wanted, say: Callable[[str], None]) -> Evaluation:
    """Ask with the files of `folder`; `say` gets a line for whatever could not be measured.

    The store is opened as its owner, or as a client of the owner, so that nobody waits for it.
    Raises `RootError` (no such folder), `QueryError` (no file that can be asked with, or the
    clusters changed meanwhile), `LabelsError`, `ModelError` and `StoreError` (`StoreMissing` when
    nothing is indexed).
    """
    paths, unlisted = list_files(folder, home.settings.home)
    if not paths:
        reason = unlisted[0].reason if unlisted else "holds no file to ask with"
        raise QueryError(f"{folder} {reason}: name a folder of pictures")
    chosen = sampled(paths, wanted.sample, wanted.seed)
    with contextlib.closing(open_store(home.settings, home.encoder.id, role="owner")) as store:
        collection = Collection.read(store, home.roots)
        if not len(collection):
            raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
        asked = _encoded(home, folder, chosen)
        own = collection.own_rows(folder, asked.paths, home.roots)
        labels, remarks = labels_of(asked, own, collection, wanted.labels, home.roots)
        for remark in remarks:
            say(remark)
        search = BatchSearch(store, collection, asked.vectors, own, max(wanted.k, DEPTH))
        searcher = Searcher(home.encoder, home.clustering, store, home.limits, home.calibration)
        timing, probings = _probings(search, searcher, asked, labels, wanted)
        if not home.is_current:
            raise QueryError("the clusters changed while they were measured: try again")
    floors = None
    if not labels.counts.any():
        what = "first folder level" if wanted.labels is None else "label"
        say(f"no labels: no query has its {what} in common with another indexed image")
    elif wanted.floors:
        floors = measure_floors(asked, collection, own, labels, home.limits, wanted.k, say)
    return Evaluation(
        queries=len(asked.paths),
        total=len(collection),
        own=int((own >= 0).sum()),
        k=wanted.k,
        labelled=int(labels.counts.sum()),
        timed=timing.queries,
        took=timing.stages,
        probings=probings,
        floors=floors,
        refused=(*unlisted, *asked.refused),
    )


def _encoded(home: Home, folder: Path, paths: Sequence[Raw]) -> FolderQueries:
    asked = encode_files(folder, paths, home.encoder.load(), home.limits)
    if not asked.paths:
        raise QueryError(
            f"no file in {folder} can be asked with: {shown_path(asked.refused[0].path)} "
            f"{asked.refused[0].reason}: name a folder of pictures"
        )
    return asked


def _probings(
    search: BatchSearch, searcher: Searcher, asked: FolderQueries, labels: Labels, wanted: Wanted
) -> tuple[Timing, tuple[Probing, ...]]:
    """Every way to search, the exact one last; timed when all is warm."""
    total = len(search.collection)
    sizes: dict[str | None, int] = {None: total}
    sizes.update(search.store.cluster_sizes())
    measured = ways(searcher.clustering.n_clusters, calibrated=searcher.calibration is not None)
    requests = [Request(wanted.k, way, wanted.recall) for way in measured]
    chosen = {
        request.probes: choose_clusters(searcher, asked.vectors, request) for request in requests
    }
    looked = {way: choice.looked for way, choice in chosen.items()}
    answers = search.answers(looked)
    timing = time_queries(searcher, asked, requests)
    return timing, tuple(
        Probing(
            probes=way,
            recall=mean_recall_at_k(answers[way], answers["all"], wanted.k),
            expected=chosen[way].expected,
            coverage=mean_coverage(
                [sum(sizes.get(one, 0) for one in row) for row in looked[way]], total
            ),
            latency=timing.searches[way],
            quality=quality(labels, answers[way], wanted.k),
        )
        for way in measured
    )
