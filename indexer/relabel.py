"""A new generation of clusters for the vectors that are already stored: labels are written, nothing
else of a point.

Both passes may be interrupted at any moment and begun again: what has its label is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from indexer.journal import Journal
from shared.clustering import Clustering
from shared.store.protocol import VectorStore
from shared.types import StoredImage

Pulse: TypeAlias = Callable[[int], bool]
"""Told after every batch how many more points were looked at; answers whether to stop."""

_BATCH = 500


def add_labels(store: VectorStore, clustering: Clustering, pulse: Pulse) -> bool:
    """Give every point its label of the clustering beside those it has; False if it was stopped."""
    prefix = clustering.generation + "/"
    for batch in store.scroll(batch_size=_BATCH, with_vectors=True):
        labels = _nearest(batch, clustering)
        wanted = {
            point.record.id: (*_without(point.record.cluster, prefix), labels[point.record.id])
            for point in batch
            if point.record.id in labels
        }
        _write(store, batch, wanted)
        if pulse(len(batch)):
            return False
    return True


def keep_only(
    store: VectorStore, journal: Journal, collection: str, clustering: Clustering, pulse: Pulse
) -> bool:
    """Leave every point with its label of this clustering alone, and tell the journal; False if it
    was stopped."""
    prefix = clustering.generation + "/"
    for batch in store.scroll(batch_size=_BATCH):
        wanted: dict[str, tuple[str, ...]] = {}
        for point in batch:
            own = [label for label in point.record.cluster if label.startswith(prefix)]
            if len(own) == 1:
                wanted[point.record.id] = (own[0],)
        lacking = [point.record.id for point in batch if point.record.id not in wanted]
        if lacking:
            found = list(store.get(lacking, with_vectors=True).values())
            wanted |= {key: (label,) for key, label in _nearest(found, clustering).items()}
        _write(store, batch, wanted)
        journal.set_labels(
            collection,
            [
                (wanted[point.record.id][0], point.record.root, point.record.relative())
                for point in batch
                if point.record.id in wanted
            ],
        )
        if pulse(len(batch)):
            return False
    return True


def has_foreign_labels(
    store: VectorStore, journal: Journal, collection: str, clustering: Clustering
) -> bool:
    """Whether some point, or the journal, still holds a label of another generation."""
    prefix = clustering.generation + "/"
    labels = store.cluster_sizes().keys() | journal.cluster_sizes(collection).keys()
    return any(not label.startswith(prefix) for label in labels)


def _nearest(points: Sequence[StoredImage], clustering: Clustering) -> dict[str, str]:
    """The label of each point's nearest centroid, by id."""
    vectors = {point.record.id: point.vector for point in points if point.vector is not None}
    if not vectors:
        return {}
    numbers = clustering.predict(np.stack(list(vectors.values())))
    return {
        key: clustering.label(int(number)) for key, number in zip(vectors, numbers, strict=True)
    }


def _without(labels: Sequence[str], prefix: str) -> list[str]:
    return [label for label in labels if not label.startswith(prefix)]


def _write(
    store: VectorStore, batch: Sequence[StoredImage], wanted: dict[str, tuple[str, ...]]
) -> None:
    held = {point.record.id: point.record.cluster for point in batch}
    changed = [(key, labels) for key, labels in wanted.items() if held[key] != labels]
    if changed:
        store.set_labels(changed)
