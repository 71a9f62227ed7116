"""Journal against store, when a collection is opened: which points exist.

A store whose log was damaged, or that was put back from a copy, lacks points without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from indexer.journal import Journal
from indexer.roots import Root
from shared.conditions import Condition
from shared.points import point_id
from shared.store.protocol import VectorStore

_BATCH = 1000


def make_agree(store: VectorStore, journal: Journal, collection: str) -> None:
    """For a store that this journal knows all of: owe again what the store lost, and delete from it
    what the journal does not know.

    The counts are compared at every start, and the ids when the counts differ.
    """
    if store.count() == journal.count_points(collection):
        return
    stored = store.ids()
    journaled = {
        point_id(point.root, point.path): (point.root, point.path)
        for point in journal.points(collection)
    }
    journal.lose(collection, [journaled[key] for key in journaled.keys() - stored])
    store.delete(sorted(stored - journaled.keys()))


def owe_lost(
    store: VectorStore, journal: Journal, collection: str, pulse: Callable[[], None]
) -> None:
    """For a store with points of others: owe again what it lost of ours; nothing is deleted."""
    root, path = "", b""
    while page := journal.points_after(collection, root, path, _BATCH):
        pulse()
        ours = {point_id(point.root, point.path): (point.root, point.path) for point in page}
        lost = ours.keys() - store.get(list(ours)).keys()
        if lost:
            journal.lose(collection, [ours[key] for key in lost])
        root, path = page[-1].root, page[-1].path


def holds_as_many(
    store: VectorStore, journal: Journal, collection: str, roots: Iterable[Root]
) -> bool:
    """Whether the store has as many points of these roots as the journal knows in all. It says
    nothing where other indexers have a part of them."""
    stored = sum(store.count(where=[Condition("root", "=", root.id)]) for root in roots)
    return stored == journal.count_points(collection)
