"""One collection of a hub, as commands hold it: whoever owns the store at the moment answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from shared.conditions import Condition
from shared.errors import StoreError
from shared.store.paging import Paged
from shared.store.protocol import Indexed, Probe
from shared.types import Embeddings, ImageRecord, ScoredImage, StoredImage

if TYPE_CHECKING:
    from shared.store.client import RemoteStore
    from shared.store.edge.store import EdgeStore
    from shared.store.opening import StoreHub

    Store: TypeAlias = EdgeStore | RemoteStore

Result = TypeVar("Result")


class SharedStore(Paged):
    """A `VectorStore` that stays usable when the owner of the embedded store changes."""

    def __init__(self, hub: StoreHub, name: str, *, closes_hub: bool = False) -> None:
        self._hub = hub
        self._name = name
        self._closes_hub = closes_hub
        self._closed = False

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points; nothing is written when a vector is refused."""
        self._run(lambda store: store.upsert(records, vectors))

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points; ids that are not there are passed over."""
        self._run(lambda store: store.set_labels(labels))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        self._run(lambda store: store.delete(ids))

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        self._run(lambda store: store.delete_root(root))

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first and by id among equals, one answer list per probe."""
        return self._run(lambda store: store.search(probes, with_records=with_records))

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        """The points that exist among `ids`; vectors as stored, rounded to Float16."""
        return self._run(lambda store: store.get(ids, with_vectors=with_vectors))

    def page(
        self, after: str | None, limit: int, *, with_vectors: bool = False
    ) -> tuple[list[StoredImage], str | None]:
        """Up to `limit` points from the id `after` on, and where the next page starts."""
        return self._run(lambda store: store.page(after, limit, with_vectors=with_vectors))

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, and where the next page starts."""
        return self._run(lambda store: store.id_page(after, limit))

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        """Exact number of points that meet `where`, of one cluster or of all."""
        return self._run(lambda store: store.count(cluster, where))

    def facet(self, field: Indexed) -> dict[str, int]:
        """How many points have each value of a payload field, by value."""
        return self._run(lambda store: store.facet(field))

    def flush(self) -> None:
        """Make everything acknowledged so far durable and quick to load."""
        self._run(lambda store: store.flush())

    def tidy(self) -> None:
        """Merge small segments, drop deleted points, lay each cluster's vectors side by side."""
        self._run(lambda store: store.tidy())

    def close(self) -> None:
        """Give up this view, and the hub behind it if it was opened for this alone."""
        self._closed = True
        if self._closes_hub:
            self._hub.close()

    def _run(self, verb: Callable[[Store], Result]) -> Result:
        if self._closed:
            raise StoreError(f"collection {self._name} is closed: open it again")
        return self._hub.run(lambda collections: verb(collections.store(self._name)))
