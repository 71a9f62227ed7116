"""A new generation of clusters for the vectors that are already stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from indexer.journal import Journal
from shared.clustering import Clustering
from shared.store.protocol import VectorStore


def add_labels(store: VectorStore, clustering: Clustering) -> None:
    """Give every point its label of the clustering, beside those it has."""
    prefix = clustering.generation + "/"
    _rewrite(
        store,
        clustering,
        lambda held, label: (*(one for one in held if not one.startswith(prefix)), label),
    )


def keep_only(
    store: VectorStore, journal: Journal, collection: str, clustering: Clustering
) -> None:
    """Leave every point with its label of this clustering alone, and tell the journal."""
    _rewrite(store, clustering, lambda held, label: (label,))  # noqa: ARG005
    journal.set_labels(
        collection,
        (
            (point.record.cluster[0], point.record.root, point.record.relative())
            for batch in store.scroll()
            for point in batch
        ),
    )


def has_foreign_labels(store: VectorStore, clustering: Clustering) -> bool:
    """Whether some point still holds a label of another generation."""
    prefix = clustering.generation + "/"
    return any(not label.startswith(prefix) for label in store.cluster_sizes())


def _rewrite(
    store: VectorStore,
    clustering: Clustering,
    labels: Callable[[tuple[str, ...], str], tuple[str, ...]],
) -> None:
    for batch in store.scroll(batch_size=500, with_vectors=True):
        points = [(point.record, point.vector) for point in batch if point.vector is not None]
        vectors = np.stack([vector for _, vector in points])
        records = []
        for (record, _), number in zip(points, clustering.predict(vectors), strict=True):
            wanted = labels(record.cluster, clustering.label(int(number)))
            records.append(replace(record, cluster=wanted))
        changed = [
            row for row, (old, _) in enumerate(points) if old.cluster != records[row].cluster
        ]
        if changed:
            store.upsert([records[row] for row in changed], vectors[changed])
