"""Short measurements of the embedded store, and of Qdrant's graph inside the same engine.

All on one processor, so that times are core-milliseconds. The graph is the one that a server gets
from Lookalike (`m=16, payload_m=16`, Float16, tenant index): the embedded engine shares the
server's code for segments, so that it can be built and searched here without a server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as engine
from numpy.typing import NDArray

from benchmarks.scale.journal_measured import image_record
from indexer.journal import Journal
from indexer.relabel import add_labels, keep_only
from shared.clustering import Clustering
from shared.store.edge.store import EdgeStore
from shared.store.protocol import Probe
from shared.store.server.queries import LEAST_EF, OVERSAMPLING
from shared.types import Embeddings

QUANTILES = 101
"""A distribution is kept as its quantiles in even steps."""
_BATCH = 1_000
_TOP = 12


def embedded(
    work: Path, points: Embeddings, queries: Embeddings, clusters: Clustering
) -> dict[str, Any]:
    """Fill a store, load it, search it; times by the size of the cluster that was scanned."""
    labels = clusters.predict(points)
    store = EdgeStore.open(work / "embedded", create=True)
    began = time.process_time()
    for start in range(0, len(points), _BATCH):
        some = range(start, min(start + _BATCH, len(points)))
        records = [image_record(row, clusters.label(int(labels[row]))) for row in some]
        store.upsert(records, points[some.start : some.stop])
    store.tidy()
    filled = time.process_time() - began
    store.close()
    began = time.process_time()
    store = EdgeStore.open(work / "embedded")
    loaded = time.process_time() - began
    sizes = np.bincount(labels, minlength=clusters.n_clusters)

    def ask(query: NDArray[np.float32]) -> int:
        own = int(clusters.nearest(query[None], 1)[0, 0])
        store.search([Probe(query, clusters.label(own), _TOP)])
        return int(sizes[own])

    seconds, scanned = _timed(ask, queries)
    slope, fixed = np.polyfit(scanned, seconds, 1)
    store.close()
    return {
        "points": len(points),
        "fill_core_us": filled / len(points) * 1e6,
        "load_us": loaded / len(points) * 1e6,
        "scan_fixed_ms": fixed * 1e3,
        "scan_us_per_1000": slope * 1e9,
        "ratio": _quantiles(seconds / np.polyval([slope, fixed], scanned)),
        "disk": _disk(work / "embedded", len(points)),
    }


def relabelled(work: Path, journal: Journal, clusters: Clustering) -> float:
    """Core-microseconds a point to move the store of `embedded` to a new generation."""
    store = EdgeStore.open(work / "embedded")
    following = Clustering(clusters.encoder, "g2", clusters.centroids[::-1].copy())
    began = time.process_time()
    add_labels(store, following, lambda _: False)
    keep_only(store, journal, clusters.encoder, following, lambda _: False)
    store.tidy()
    spent = time.process_time() - began
    count = store.count()
    store.close()
    return spent / count * 1e6


def graph(
    work: Path, points: Embeddings, queries: Embeddings, clusters: Clustering, *, int8: bool
) -> dict[str, Any]:
    """Build a server's graph over one segment; search it within a cluster."""
    work.mkdir()
    shard = engine.EdgeShard.create(str(work), _config(int8))
    tenant = engine.KeywordIndexParams(is_tenant=True)
    shard.update(engine.UpdateOperation.create_field_index("cluster", tenant))
    labels = clusters.predict(points)
    for start in range(0, len(points), _BATCH):
        batch = [
            engine.Point(row, points[row].tolist(), {"cluster": clusters.label(int(labels[row]))})
            for row in range(start, min(start + _BATCH, len(points)))
        ]
        shard.update(engine.UpdateOperation.upsert_points(batch))
    began = time.process_time()
    shard.optimize()
    built = time.process_time() - began
    shard.flush()
    sizes = np.bincount(labels, minlength=clusters.n_clusters)
    found: dict[bool, list[set[int]]] = {True: [], False: []}

    def search(exact: bool) -> Callable[[NDArray[np.float32]], int]:
        def ask(query: NDArray[np.float32]) -> int:
            own = int(clusters.nearest(query[None], 1)[0, 0])
            answer = shard.query(_request(query, clusters.label(own), exact))
            found[exact].append({int(point.id) for point in answer})
            return int(sizes[own])

        return ask

    seconds, scanned = _timed(search(exact=False), queries)
    _timed(search(exact=True), queries)
    recall = np.mean([len(a & b) / _TOP for a, b in zip(*found.values(), strict=True)])
    shard.close()
    return {
        "points": len(points),
        "build_core_us": built / len(points) * 1e6,
        "cluster_points": float(np.mean(scanned)),
        "search_ms": float(np.median(seconds)) * 1e3,
        "ratio": _quantiles(seconds / np.median(seconds)),
        "recall": float(recall),
        "disk": _disk(work, len(points)),
    }


def _config(int8: bool) -> engine.EdgeConfig:
    quantization = engine.ScalarQuantizationConfig(engine.ScalarType.Int8) if int8 else None
    return engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(
            size=512,
            distance=engine.Distance.Cosine,
            datatype=engine.VectorStorageDatatype.Float16,
            quantization_config=quantization,
        ),
        hnsw_config=engine.HnswIndexConfig(
            m=16, payload_m=16, ef_construct=100, full_scan_threshold=10
        ),
        optimizers=engine.EdgeOptimizersConfig(
            default_segment_number=1, max_segment_size=10**9, indexing_threshold=1_000
        ),
        wal_enabled=True,
    )


def _request(query: NDArray[np.float32], label: str, exact: bool) -> engine.QueryRequest:
    match = engine.FieldCondition(key="cluster", match=engine.MatchValue(label))
    return engine.QueryRequest(
        limit=_TOP,
        query=engine.Query.Nearest(query.tolist()),
        filter=engine.Filter(must=[match]),
        with_payload=False,
        with_vector=False,
        params=engine.SearchParams(
            exact=exact,
            hnsw_ef=LEAST_EF,
            quantization=engine.QuantizationSearchParams(
                ignore=exact, rescore=True, oversampling=OVERSAMPLING
            ),
        ),
    )


def _timed(
    ask: Callable[[NDArray[np.float32]], int], queries: Embeddings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Processor seconds of every query after one round that warms, and the points scanned for it.

    By the clock, a query would also wait for other programs.
    """
    seconds, scanned = np.zeros(len(queries)), np.zeros(len(queries))
    for _ in range(2):
        for row, query in enumerate(queries):
            began = time.process_time()
            scanned[row] = ask(query)
            seconds[row] = time.process_time() - began
    return seconds, scanned


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    return [round(float(q), 4) for q in np.quantile(values, np.linspace(0, 1, QUANTILES))]


def _disk(path: Path, points: int) -> dict[str, float]:
    """Bytes a point that are allocated on disk, by the name of the segment's folder."""
    found: dict[str, float] = {}
    for file in path.rglob("*"):
        if file.is_file():
            parts = file.relative_to(path).parts
            name = parts[2].split(".")[0] if len(parts) > 2 else parts[0]
            found[name] = found.get(name, 0.0) + os.stat(file).st_blocks * 512 / points
    return {name: round(size, 1) for name, size in sorted(found.items())}
