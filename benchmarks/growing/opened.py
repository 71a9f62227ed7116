"""`python -m benchmarks.growing.opened HOME QUESTIONS`: a store, opened, searched and read.

A process of its own, so that its memory is the store's; prints a JSON object. QUESTIONS: float32
(n, 512) as NumPy keeps them.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from shared.clustering import Clustering
from shared.models import Models
from shared.settings import Settings, load_settings
from shared.store.hub import open_store
from shared.store.protocol import Probe, VectorStore
from shared.types import Embeddings

TOP = 12
OPENINGS = 3


def main(home: Path, questions: Path) -> None:
    """Seconds of processors, but by the clock for a search; bytes of memory."""
    settings = load_settings({"home": home})
    models = Models(settings.models)
    clusters = models.clustering(models.current())
    queries: Embeddings = np.load(questions)
    openings = [_spent(lambda: _opened(settings, clusters).close()) for _ in range(OPENINGS)]
    store = _opened(settings, clusters)
    for label in clusters.labels:
        store.search([Probe(queries[0], label, TOP)])
    memory = psutil.Process().memory_info()
    found = {
        "opened": statistics.median(openings),
        "memory": memory.rss,
        "own_memory": memory.rss - memory.shared,
        "searched": statistics.median(_searched(store, clusters, queries)),
        "scrolled": _spent(lambda: sum(map(len, store.scroll()))),
    }
    store.close()
    print(json.dumps(found))


def _opened(settings: Settings, clusters: Clustering) -> VectorStore:
    store = open_store(settings, clusters.encoder)
    store.count()
    return store


def _searched(store: VectorStore, clusters: Clustering, queries: Embeddings) -> list[float]:
    """Seconds of every question, asked of its own cluster, after a round that warms."""
    numbers = clusters.predict(queries)
    probes = [
        Probe(query, clusters.label(int(number)), TOP)
        for query, number in zip(queries, numbers, strict=True)
    ]
    seconds = []
    for probe in (*probes, *probes):
        began = time.perf_counter()
        store.search([probe])
        seconds.append(time.perf_counter() - began)
    return seconds[len(probes) :]


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
