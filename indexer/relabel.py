"""A new generation of clusters for the vectors that are already stored: labels are written, nothing
else of a point.

All passes may be interrupted at any moment and begun again: what has its label is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from indexer.journal import Journal
from shared.clustering import Clustering
from shared.points import point_id
from shared.store.protocol import VectorStore
from shared.types import StoredImage

Pulse: TypeAlias = Callable[[int], bool]
"""Told after every batch how many more points were looked at; answers whether to stop."""

Labels: TypeAlias = dict[str, tuple[str, ...]]
"""The labels that points shall have, by id."""

_BATCH = 500


def add_labels(
    store: VectorStore, clustering: Clustering, pulse: Pulse, *, shared: bool = False
) -> bool:
    """Give every point its label of the clustering beside those it has; False if it was stopped.

    `shared`: others may write points meanwhile.
    """
    prefix = clustering.generation + "/"

    def wanted(batch: Sequence[StoredImage]) -> Labels:
        labels = _nearest(batch, clustering)
        return {
            point.record.id: (*_without(point.record.cluster, prefix), labels[point.record.id])
            for point in batch
            if point.record.id in labels
        }

    for batch in store.scroll(batch_size=_BATCH, with_vectors=True):
        _write(store, batch, wanted(batch))
        if shared:
            _write_again(store, batch, wanted)
        if pulse(len(batch)):
            return False
    return True


def keep_only(
    store: VectorStore,
    journal: Journal,
    collection: str,
    clustering: Clustering,
    pulse: Pulse,
    *,
    shared: bool = False,
) -> bool:
    """Leave every point with its label of this clustering alone, and tell the journal; False if it
    was stopped. `shared`: others may write points meanwhile."""

    def alone(labels: Mapping[str, str]) -> Labels:
        return {key: (label,) for key, label in labels.items()}

    for batch in store.scroll(batch_size=_BATCH):
        labels = alone(_labels(store, batch, clustering))
        _write(store, batch, labels)
        if shared:
            labels |= _write_again(store, batch, lambda fresh: alone(_nearest(fresh, clustering)))
        _tell(journal, collection, batch, {key: label for key, (label,) in labels.items()})
        if pulse(len(batch)):
            return False
    return True


def follow_labels(
    store: VectorStore, journal: Journal, collection: str, clustering: Clustering, pulse: Pulse
) -> bool:
    """Label the points that the journal knows under another label, and tell the journal; False if
    it was stopped. Labels of later generations stay: whoever leads may be giving them."""
    answering = _number(clustering.generation)
    for batch in _labelled_otherwise(store, journal, collection, clustering):
        labels = _labels(store, batch, clustering)
        wanted = {
            point.record.id: (
                *(one for one in point.record.cluster if _number(one) > answering),
                labels[point.record.id],
            )
            for point in batch
            if point.record.id in labels
        }
        _write(store, batch, wanted)
        _tell(journal, collection, batch, labels)
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


def lacking_labels(store: VectorStore, clustering: Clustering) -> int:
    """How many points have no label of the clustering."""
    points, sizes = store.count(), store.cluster_sizes()
    return max(0, points - sum(sizes.get(label, 0) for label in clustering.labels))


def _labelled_otherwise(
    store: VectorStore, journal: Journal, collection: str, clustering: Clustering
) -> Iterator[list[StoredImage]]:
    """The points that the journal knows under a label of another clustering, in batches."""
    prefix = clustering.generation + "/"
    root, path = "", b""
    while page := journal.points_after(collection, root, path, _BATCH):
        ids = [
            point_id(point.root, point.path)
            for point in page
            if not point.cluster.startswith(prefix)
        ]
        found = list(store.get(ids).values()) if ids else []
        if found:
            yield found
        root, path = page[-1].root, page[-1].path


def _labels(
    store: VectorStore, batch: Sequence[StoredImage], clustering: Clustering
) -> dict[str, str]:
    """The one label of the clustering that each point has, or that its vector asks for."""
    prefix = clustering.generation + "/"
    labels: dict[str, str] = {}
    for point in batch:
        own = [label for label in point.record.cluster if label.startswith(prefix)]
        if len(own) == 1:
            labels[point.record.id] = own[0]
    lacking = [point.record.id for point in batch if point.record.id not in labels]
    if lacking:
        labels |= _nearest(list(store.get(lacking, with_vectors=True).values()), clustering)
    return labels


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


def _number(label: str) -> int:
    """The generation's number: 3 for ``g3/1`` and for ``g3``."""
    digits = label.partition("/")[0][1:]
    return int(digits) if digits.isdigit() else 0


def _write(store: VectorStore, batch: Sequence[StoredImage], wanted: Labels) -> None:
    held = {point.record.id: point.record.cluster for point in batch}
    changed = [(key, labels) for key, labels in wanted.items() if held[key] != labels]
    if changed:
        store.set_labels(changed)


def _write_again(
    store: VectorStore,
    batch: Sequence[StoredImage],
    wanted: Callable[[Sequence[StoredImage]], Labels],
) -> Labels:
    """Label anew what got other contents between our reading and our writing, and so was given the
    label of the vector of before; the labels given. `wanted` is asked with vectors."""
    again: Labels = {}
    contents = {point.record.id: point.record.sha256 for point in batch}
    while contents:
        now = store.get(list(contents))
        changed = [key for key, one in now.items() if one.record.sha256 != contents[key]]
        points = store.get(changed, with_vectors=True) if changed else {}
        contents = {key: point.record.sha256 for key, point in points.items()}
        fresh = list(points.values())
        if fresh:
            again |= (labels := wanted(fresh))
            _write(store, fresh, labels)
    return again


def _tell(
    journal: Journal, collection: str, batch: Sequence[StoredImage], labels: Mapping[str, str]
) -> None:
    records = [point.record for point in batch if point.record.id in labels]
    journal.set_labels(collection, [(labels[one.id], one.root, one.relative()) for one in records])
