"""`EdgeStore`: a `VectorStore` over one Qdrant Edge shard.

The choices below were measured, see `docs/decisions/0001-embedded-store.md`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as engine

from shared.conditions import Condition
from shared.errors import DiskFull, StoreError, StoreMissing
from shared.store.edge.collection import create_collection
from shared.store.edge.faults import Translated
from shared.store.edge.filters import equals, payload_filter
from shared.store.edge.queries import Hit, best_first, request
from shared.store.edge.turns import Turns
from shared.store.edge.upkeep import Upkeep
from shared.store.edge.warming import fetch
from shared.store.ids import checked_id, possible_ids
from shared.store.paging import Paged
from shared.store.protocol import MOST_VALUES, Indexed, Probe, validated
from shared.types import Embeddings, ImageRecord, ScoredImage, StoredImage

FLUSH_POINTS = 7_000
"""Changed points after which the store tidies itself: a segment's worth, written at once. In steps
of 2,000 each was merged with those before, three times the work in stalls half as long again."""
LABELS_PER_TIDY = 10_000
"""Changed labels after which segments are merged. A point moves to another segment with its label,
so that relabelling rewrites all of them in the end: at 60,000 points, merging after every 2,000
labels took 14 s of processor time in stalls of up to 1.1 s, after 10,000 six in stalls up to 2.1 s.
"""
POINTS_PER_WRITE = 8
"""Points built or written before whoever waits may ask: half a millisecond of the interpreter."""
PAUSE_SECONDS = 0.002
"""Between such pieces, while others ask. An answer needs the interpreter several times, and gets it
from a thread that sleeps at once, from one that works only after `SWITCH_SECONDS` or a whole piece:
of the queries that met a batch 14 % took more than three times the median, with pauses 1 to 2."""
LABELS_PER_WRITE = 1_000
"""Labels that are written together, at most."""
MOST_COUNTS = 10_000
"""Clusters whose counts are kept between writes."""
SEARCHES_BEFORE_WARMING = 2
"""A process that asks once need not fetch more than its own cluster; one that goes on, should."""


class EdgeStore(Paged):
    """A `VectorStore` over one shard. Safe to call from several threads.

    The engine holds the interpreter lock during every call (measured), so that one lock around it
    costs no parallelism; within a search the engine spreads segments over threads of its own.
    Writes let go of it between pieces, and what takes long is done seldom (`Upkeep`).
    """

    def __init__(self, shard: engine.EdgeShard, path: Path, flush_points: int) -> None:
        self._shard: engine.EdgeShard | None = shard
        self._path = path
        self._upkeep = Upkeep(flush_points)
        self._searches = 0
        self._segments: int | None = None
        self._counts: dict[str | None, int] = {}
        self._turns = Turns()
        self._warmed: set[str] = set()

    @classmethod
    def open(
        cls, path: Path, *, create: bool = False, flush_points: int = FLUSH_POINTS
    ) -> EdgeStore:
        """Load the collection in `path`; make it first if it is absent and `create` is set.

        `flush_points`: tidy and flush after this many changed points. Raises `StoreMissing`,
        `StoreBusy` when another process holds the folder, `StoreError` when it is damaged.
        """
        if not path.is_dir():
            if not create:
                raise StoreMissing(f"store {path} does not exist: run `indexer scan` to build it")
            create_collection(path)
        with Translated(path, remedy="`indexer doctor --repair` builds it again"):
            shard = engine.EdgeShard.load(str(path))
        return cls(shard, path, flush_points)

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points; nothing is written when a vector or an id is refused."""
        rows = validated(vectors, len(records))
        # All points are built before the first write: a payload that the engine cannot represent
        # must not leave half a batch behind.
        points: list[engine.Point] = []
        for piece in self._pieces(len(records)):
            with Translated(self._path):
                points += [
                    engine.Point(checked_id(record.id), row.tolist(), record.to_payload())
                    for record, row in zip(records[piece], rows[piece], strict=True)
                ]
        for piece in self._pieces(len(points)):
            part = points[piece]
            with self._writing(len(part)) as shard:
                shard.update(engine.UpdateOperation.upsert_points(part))
            self._keep_up()

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points; ids that are not there are passed over."""
        for start in range(0, len(labels), LABELS_PER_WRITE):
            together: dict[tuple[str, ...], list[str]] = {}
            for point_id, held in labels[start : start + LABELS_PER_WRITE]:
                together.setdefault(held, []).append(point_id)
            for held, ids in together.items():
                # A list of ids would be refused for one that is not there; a filter is not.
                those = engine.Filter(must=[engine.HasIdCondition(set(_known(ids)))])
                payload = {"cluster": list(held)}
                with self._writing(len(ids)) as shard:
                    shard.update(engine.UpdateOperation.set_payload_by_filter(those, payload))
                self._keep_up(at_least=LABELS_PER_TIDY)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        known = _known(ids)
        if not known:
            return
        with self._writing(len(known)) as shard:
            shard.update(engine.UpdateOperation.delete_points(list(known)))
        self._keep_up()

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        only_root = engine.Filter(must=[equals("root", root)])
        with self._engine() as shard:
            doomed = shard.count(engine.CountRequest(exact=True, filter=only_root))
        with self._writing(doomed) as shard:
            shard.update(engine.UpdateOperation.delete_points_by_filter(only_root))
        self._keep_up()

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first and by id among equals, one answer list per probe.

        Everything is searched exactly. A cluster is scanned in Int8 and the best of every segment
        again in Float16: of 1,000 nearest neighbours 999 or more are found.
        """
        return [
            [
                ScoredImage(
                    point_id,
                    score,
                    None if payload is None else ImageRecord.from_payload(point_id, payload),
                )
                for point_id, score, payload in hits
            ]
            for hits in self.hits(probes, with_payloads=with_records)
        ]

    def hits(self, probes: Sequence[Probe], *, with_payloads: bool) -> list[list[Hit]]:
        """What `search` finds, with payloads as they are stored."""
        if not probes:
            return []
        vectors = validated(np.array([probe.vector for probe in probes]), len(probes))
        with self._turns, Translated(self._path):
            shard = self._opened()
            if self._segments is None:
                self._segments = shard.info().segments_count
            requests = [
                request(probe, vector, with_payloads, self._segments)
                for probe, vector in zip(probes, vectors.tolist(), strict=True)
            ]
            answers = shard.query_batch(engine.QueryBatchRequest(requests))
            self._upkeep.asked()
            self._searches += 1
            if self._searches == SEARCHES_BEFORE_WARMING:
                self._warm()
        return list(map(best_first, answers))

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        """The points that exist among `ids`; vectors as stored, rounded to Float16."""
        known = _known(ids)
        if not known:
            return {}
        with self._engine() as shard:
            points = shard.retrieve(list(known), True, with_vectors)
        return {image.record.id: image for image in map(_stored, points)}

    def page(
        self, after: str | None, limit: int, *, with_vectors: bool = False
    ) -> tuple[list[StoredImage], str | None]:
        """Up to `limit` points from the id `after` on, and where the next page starts."""
        with self._engine() as shard:
            request = engine.ScrollRequest(
                offset=after, limit=limit, with_payload=True, with_vector=with_vectors
            )
            points, following = shard.scroll(request)
        return [_stored(point) for point in points], _as_text(following)

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, and where the next page starts."""
        with self._engine() as shard:
            request = engine.ScrollRequest(
                offset=after, limit=limit, with_payload=False, with_vector=False
            )
            points, following = shard.scroll(request)
        return [str(point.id) for point in points], _as_text(following)

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        """Exact number of points that meet `where`, of one cluster or of all.

        What no `where` narrows is counted once between two writes: to count a cluster takes twice
        as long as to search it.
        """
        wanted = payload_filter(cluster, where)
        with self._engine() as shard:
            if not where and cluster in self._counts:
                return self._counts[cluster]
            # Of everything the engine keeps count, and an exact count would walk through all ids:
            # 12 ms at 100,000 points, eight times as long as a search.
            found = shard.count(engine.CountRequest(exact=wanted is not None, filter=wanted))
            if not where and len(self._counts) < MOST_COUNTS:
                self._counts[cluster] = found
            return found

    def facet(self, field: Indexed) -> dict[str, int]:
        """How many points have each value of a payload field, by value."""
        with self._engine() as shard:
            hits = shard.facet(engine.FacetRequest(field, limit=MOST_VALUES, exact=True)).hits
        # A value that has lost its last point stays among the hits, with a count of 0.
        return dict(sorted((str(hit.value), hit.count) for hit in hits if hit.count))

    def flush(self) -> None:
        """Make everything acknowledged so far durable and quick to load."""
        with self._engine() as shard:
            # Three files a segment are written and waited for, whether they changed or not.
            if not self._upkeep.is_flushed:
                shard.flush()
                self._upkeep.flushed()

    def tidy(self) -> None:
        """Merge small segments, drop deleted points, lay each cluster's vectors side by side.

        While others ask, and soon after another time, this is left for later: until much has
        changed, or the store closes.
        """
        with self._engine():
            may_wait = self._upkeep.may_wait
        if not may_wait:
            self._tidy()

    def close(self) -> None:
        """Tidy, flush and let go of the folder; closing twice is harmless."""
        with self._turns:
            shard, self._shard = self._shard, None
            if shard is not None:
                # On a full disk nothing is lost: the log has what could not be flushed.
                with suppress(DiskFull), Translated(self._path):
                    try:
                        if self._upkeep.has_written:
                            shard.optimize()
                            shard.flush()
                    finally:
                        shard.close()

    def _pieces(self, count: int) -> Iterator[slice]:
        """All of so many, piece by piece; while others ask, with a pause before each."""
        for start in range(0, count, POINTS_PER_WRITE):
            if self._upkeep.is_asked:
                time.sleep(PAUSE_SECONDS)
            yield slice(start, start + POINTS_PER_WRITE)

    def _keep_up(self, *, at_least: int = 0) -> None:
        if self._upkeep.is_due(at_least):
            self._tidy()
        elif self._upkeep.should_flush:
            self.flush()

    def _tidy(self) -> None:
        """Merge, then flush, which may be left for later while others ask."""
        with self._upkeep.tidying():
            with self._engine() as shard:
                has_merged = shard.optimize()
                if has_merged:
                    self._segments = None
                    self._upkeep.is_flushed = False
            if has_merged:
                self._warm()
            if not self._upkeep.may_keep_log:
                self.flush()

    def _warm(self) -> None:
        """Have vectors that are new since the last time in the page cache: the next merge or search
        reads them again."""
        segments = {path.name for path in self._path.glob("segments/*")}
        for segment in segments - self._warmed:
            for name in ("matrix.dat", "quantized.data"):
                fetch(self._path / "segments" / segment / "vector_storage" / name)
        self._warmed = segments

    @contextmanager
    def _writing(self, points: int) -> Iterator[engine.EdgeShard]:
        """The engine for a write of so many points, whole or in part: what was counted before is
        wrong from here."""
        with self._engine() as shard:
            self._counts.clear()
            self._upkeep.note(points)
            yield shard

    @contextmanager
    def _engine(self) -> Iterator[engine.EdgeShard]:
        with self._turns, Translated(self._path):
            yield self._opened()

    def _opened(self) -> engine.EdgeShard:
        if self._shard is None:
            raise StoreError(f"store {self._path} is closed: open it again")
        return self._shard


def _known(ids: Sequence[str]) -> list[engine.PointId]:
    return list(possible_ids(ids))


def _as_text(point_id: int | UUID | str | None) -> str | None:
    return None if point_id is None else str(point_id)


def _stored(point: engine.Record) -> StoredImage:
    record = ImageRecord.from_payload(str(point.id), point.payload or {})
    vector = None if point.vector is None else np.asarray(point.vector, dtype=np.float32)
    return StoredImage(record, vector)
