"""One collection on a Qdrant server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from qdrant_client import QdrantClient, models

from shared.conditions import Condition
from shared.errors import StoreError
from shared.store.ids import checked_id, possible_ids
from shared.store.paging import Paged
from shared.store.protocol import MOST_VALUES, Indexed, Probe, validated
from shared.store.server.calls import Calls
from shared.store.server.filters import of_root, payload_filter
from shared.store.server.plan import VECTOR
from shared.store.server.points import Ids, batch, numbers, relabelling, scored, stored
from shared.store.server.queries import query
from shared.types import Embeddings, ImageRecord, ScoredImage, StoredImage

POINTS_PER_WRITE = 256
"""Vectors in one request, 1.3 MB of JSON: a server takes 32 MB at most."""
IDS_PER_REQUEST = 1_000

Result = TypeVar("Result")


class ServerStore(Paged):
    """A `VectorStore` over one collection of a server. Safe to call from several threads.

    The server makes durable, merges and lays out by itself what it has acknowledged.
    """

    def __init__(
        self, calls: Calls, name: str, *, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self._calls = calls
        self._name = name
        self._on_close = on_close
        self._closed = False

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points; nothing is written when a vector or an id is refused."""
        rows = validated(vectors, len(records))
        for record in records:
            checked_id(record.id)
        self._must_be_open()
        for start in range(0, len(records), POINTS_PER_WRITE):
            part = slice(start, start + POINTS_PER_WRITE)
            self._write(batch(records[part], rows[part]))

    def _write(self, points: models.Batch) -> None:
        self._run(lambda client: client.upsert(self._name, points, wait=True))

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points; ids that are not there are passed over."""
        self._must_be_open()
        for start in range(0, len(labels), IDS_PER_REQUEST):
            self._update(relabelling(labels[start : start + IDS_PER_REQUEST]))

    def _update(self, operations: Sequence[models.UpdateOperation]) -> None:
        self._run(lambda client: client.batch_update_points(self._name, operations, wait=True))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        self._must_be_open()
        for part in _parts(possible_ids(ids)):
            self._delete(models.PointIdsList(points=part))

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        self._delete(models.FilterSelector(filter=of_root(root)))

    def _delete(self, those: models.PointsSelector) -> None:
        self._run(lambda client: client.delete(self._name, those, wait=True))

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first and by id among equals, one answer list per probe.

        Everything is searched exactly, for who asks for that wants to know the truth: point after
        point, however long that takes. A cluster is searched in its graph, a small one point after
        point: of 100 nearest neighbours 99 are found.
        """
        self._must_be_open()
        if not probes:
            return []
        vectors = validated(np.stack([probe.vector for probe in probes]), len(probes))
        requests = [
            query(probe, vector, with_records)
            for probe, vector in zip(probes, numbers(vectors), strict=True)
        ]
        answers = self._run(lambda client: client.query_batch_points(self._name, requests))
        return [
            sorted(map(scored, answer.points), key=lambda image: (-image.score, image.id))
            for answer in answers
        ]

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        """The points that exist among `ids`; vectors as stored, rounded to Float16."""
        self._must_be_open()
        points = [
            point for part in _parts(possible_ids(ids)) for point in self._some(part, with_vectors)
        ]
        return {image.record.id: image for image in map(stored, points)}

    def _some(self, ids: Ids, with_vectors: bool) -> list[models.Record]:
        wanted = _vectors(with_vectors)
        return self._run(
            lambda client: client.retrieve(self._name, ids, with_payload=True, with_vectors=wanted)
        )

    def page(
        self, after: str | None, limit: int, *, with_vectors: bool = False
    ) -> tuple[list[StoredImage], str | None]:
        """Up to `limit` points from the id `after` on, and where the next page starts."""
        points, following = self._run(
            lambda client: client.scroll(
                self._name,
                offset=after,
                limit=limit,
                with_payload=True,
                with_vectors=_vectors(with_vectors),
            )
        )
        return [stored(point) for point in points], _as_text(following)

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, and where the next page starts."""
        points, following = self._run(
            lambda client: client.scroll(
                self._name, offset=after, limit=limit, with_payload=False, with_vectors=False
            )
        )
        return [str(point.id) for point in points], _as_text(following)

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        """Exact number of points that meet `where`, of one cluster or of all."""
        wanted = payload_filter(cluster, where)
        return self._run(lambda client: client.count(self._name, wanted, exact=True)).count

    def facet(self, field: Indexed) -> dict[str, int]:
        """How many points have each value of a payload field, by value."""
        answer = self._run(
            lambda client: client.facet(self._name, field, limit=MOST_VALUES, exact=True)
        )
        # A value that has lost its last point stays among the hits, with a count of 0.
        return dict(sorted((str(hit.value), hit.count) for hit in answer.hits if hit.count))

    def flush(self) -> None:
        """What the server has acknowledged is durable: nothing to do."""
        self._must_be_open()

    def tidy(self) -> None:
        """The server tidies by itself: nothing to do."""
        self._must_be_open()

    def close(self) -> None:
        """Release the store; further calls raise `StoreError`. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._on_close()

    def _must_be_open(self) -> None:
        if self._closed:
            raise StoreError(f"store {self._name} at {self._calls.url} is closed: open it again")

    def _run(self, request: Callable[[QdrantClient], Result]) -> Result:
        self._must_be_open()
        return self._calls.run(request)


def _vectors(wanted: bool) -> bool | list[str]:
    return [VECTOR] if wanted else False


def _parts(ids: list[str]) -> list[Ids]:
    starts = range(0, len(ids), IDS_PER_REQUEST)
    return [[*ids[start : start + IDS_PER_REQUEST]] for start in starts]


def _as_text(point_id: object) -> str | None:
    return None if point_id is None else str(point_id)
