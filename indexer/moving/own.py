"""Which points of a collection are this home's, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from indexer.journal import Journal
from shared.points import point_id
from shared.store.hub import Hub
from shared.store.protocol import VectorStore

PAGE = 500
"""Points read, written and compared together: about 3 MB on the wire."""


class OwnPoints:
    """The ids of this home's points in one collection; may be walked through more than once.

    In a store that is shared with other indexers those are the points that the journal knows; in an
    embedded one, all.
    """

    def __init__(self, hub: Hub, collection: str, journal: Journal) -> None:
        """Raises `StoreMissing` where there is no such collection."""
        self.store: VectorStore = hub.collection(collection)
        self._is_shared, self._collection, self._journal = hub.is_shared, collection, journal

    def count(self) -> int:
        """How many there should be."""
        if self._is_shared:
            return self._journal.count_points(self._collection)
        return self.store.count()

    def pages(self) -> Iterator[list[str]]:
        """The ids; of a shared store also such as it lost."""
        return self._journaled() if self._is_shared else self._stored()

    def _journaled(self) -> Iterator[list[str]]:
        ids = (point_id(one.root, one.path) for one in self._journal.points(self._collection))
        while page := list(islice(ids, PAGE)):
            yield page

    def _stored(self) -> Iterator[list[str]]:
        return id_pages(self.store)


def id_pages(store: VectorStore) -> Iterator[list[str]]:
    """The ids of all points of a store, in order. Points may be deleted meanwhile."""
    after: str | None = None
    while True:
        ids, after = store.id_page(after, PAGE)
        if ids:
            yield ids
        if after is None:
            return
