"""Forgetting a root: which of its points go with it."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.journal import Journal
from indexer.partition import WHOLE, Partition
from shared.points import point_id
from shared.store.protocol import VectorStore

_BATCH = 1000


def delete_points(
    collections: Iterable[tuple[str, VectorStore]],
    journal: Journal,
    root: str,
    partition: Partition,
) -> None:
    """Delete a root's points from collections, pairs of name and store; of a root that is divided,
    those of this indexer alone, which the journal knows. Raises `StoreError`, `JournalError`."""
    for name, store in collections:
        if partition == WHOLE:
            store.delete_root(root)
            continue
        path = b""
        while page := journal.points_after(name, root, path, _BATCH, within=True):
            store.delete([point_id(point.root, point.path) for point in page])
            path = page[-1].path
