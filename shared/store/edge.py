"""The embedded store: one Qdrant Edge shard in a folder. It and `edge_filter` know the engine.

The choices below were measured, see `docs/decisions/0001-embedded-store.md` and, for the search,
`docs/decisions/0005-search-inside-a-cluster.md`.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as engine

from shared.conditions import Condition
from shared.errors import DiskFull, StoreError, StoreMissing
from shared.store.edge_filter import equals, payload_filter
from shared.store.ids import checked_id, possible_ids
from shared.store.paging import Paged
from shared.store.protocol import Probe, validated
from shared.store.translation import translated
from shared.store.warming import fetch
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, ScoredImage, StoredImage

SEGMENT_KILOBYTES = 6_144
"""Largest segment, 6,000 points in Float16: merging one stalls the process for a quarter second."""
MERGE_KILOBYTES = 1_000
"""Segments of more plain vectors than this, about 1,000, are rewritten cluster by cluster."""
LABELS_PER_TIDY = 10_000
"""Changed labels after which segments are merged. A point moves to another segment with its label,
so that relabelling rewrites all of them in the end: at 60,000 points, merging after every 2,000
labels took 14 s of processor time in stalls of up to 1.1 s, after 10,000 six in stalls up to 2.1 s.
"""
POINTS_PER_WRITE = 1_000
"""Points in one operation of the engine's log."""
RESCORED = 10
"""Fewest vectors of a segment that are looked at again in Float16 after its scan in Int8."""
MOST_RESCORED = 200
"""Where more would have to be looked at again, all are scanned in Float16 from the start."""
MOST_COUNTS = 10_000
"""Clusters whose counts are kept between writes."""
MOST_LABELS = 1_000_000
"""More cluster labels than any collection has."""
SEARCHES_BEFORE_WARMING = 2
"""A process that asks once need not fetch more than its own cluster; one that goes on, should."""
NEW_PREFIX = ".new-"
"""How a collection is called until it is complete."""


class EdgeStore(Paged):
    """A `VectorStore` over one shard. Safe to call from several threads.

    The engine holds the interpreter lock during every call (measured), so that one lock around it
    costs no parallelism; within a search the engine spreads segments over threads of its own.
    """

    def __init__(self, shard: engine.EdgeShard, path: Path, flush_points: int) -> None:
        self._shard: engine.EdgeShard | None = shard
        self._path = path
        self._flush_points = flush_points
        self._changed = 0
        self._searches = 0
        self._counts: dict[str | None, int] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, create: bool = False, flush_points: int = 2000) -> EdgeStore:
        """Load the collection in `path`; make it first if it is absent and `create` is set.

        `flush_points`: flush and tidy after this many changed points. Raises `StoreMissing`,
        `StoreBusy` when another process holds the folder, `StoreError` when it is damaged.
        """
        if not path.is_dir():
            if not create:
                raise StoreMissing(f"store {path} does not exist: run `indexer scan` to build it")
            _create(path)
        with translated(path, remedy="`indexer doctor --repair` builds it again"):
            shard = engine.EdgeShard.load(str(path))
        return cls(shard, path, flush_points)

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points; nothing is written when a vector or an id is refused."""
        rows = validated(vectors, len(records))
        with self._writing() as shard:
            # All points are built before the first write: a payload that the engine cannot
            # represent must not leave half a batch behind.
            points = [
                engine.Point(checked_id(record.id), row.tolist(), record.to_payload())
                for record, row in zip(records, rows, strict=True)
            ]
            for start in range(0, len(points), POINTS_PER_WRITE):
                batch = points[start : start + POINTS_PER_WRITE]
                shard.update(engine.UpdateOperation.upsert_points(batch))
                self._note_changes(shard, len(batch))

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points; ids that are not there are passed over."""
        for start in range(0, len(labels), POINTS_PER_WRITE):
            together: dict[tuple[str, ...], list[str]] = {}
            for point_id, held in labels[start : start + POINTS_PER_WRITE]:
                together.setdefault(held, []).append(point_id)
            with self._writing() as shard:
                for held, ids in together.items():
                    # A list of ids would be refused for one that is not there; a filter is not.
                    known = _known(ids)
                    those = engine.Filter(must=[engine.HasIdCondition(set(known))])
                    payload = {"cluster": list(held)}
                    shard.update(engine.UpdateOperation.set_payload_by_filter(those, payload))
                    self._note_changes(shard, len(ids), at_least=LABELS_PER_TIDY)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        known = _known(ids)
        if not known:
            return
        with self._writing() as shard:
            shard.update(engine.UpdateOperation.delete_points(list(known)))
            self._note_changes(shard, len(known))

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        only_root = engine.Filter(must=[equals("root", root)])
        with self._writing() as shard:
            doomed = shard.count(engine.CountRequest(exact=True, filter=only_root))
            shard.update(engine.UpdateOperation.delete_points_by_filter(only_root))
            self._note_changes(shard, doomed)

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first and by id among equals, one answer list per probe.

        Everything is searched exactly. A cluster is scanned in Int8 and the best of every segment
        again in Float16: of 1,000 nearest neighbours 999 or more are found.
        """
        if not probes:
            return []
        vectors = validated(np.stack([probe.vector for probe in probes]), len(probes))
        with self._engine() as shard:
            segments = shard.info().segments_count
            requests = [
                _request(probe, vector.tolist(), with_records, _params(probe, segments))
                for probe, vector in zip(probes, vectors, strict=True)
            ]
            answers = shard.query_batch(engine.QueryBatchRequest(requests))
            self._searches += 1
            if self._searches == SEARCHES_BEFORE_WARMING:
                self._warm()
        return [
            sorted(map(_scored, points), key=lambda image: (-image.score, image.id))
            for points in answers
        ]

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

    def cluster_sizes(self) -> dict[str, int]:
        """Points per cluster label, over all generations present, by label."""
        with self._engine() as shard:
            hits = shard.facet(engine.FacetRequest("cluster", limit=MOST_LABELS, exact=True)).hits
        # A label that has lost its last point stays among the hits, with a count of 0.
        return dict(sorted((str(hit.value), hit.count) for hit in hits if hit.count))

    def flush(self) -> None:
        """Make everything acknowledged so far durable and quick to load."""
        with self._engine() as shard:
            shard.flush()
            self._changed = 0

    def tidy(self) -> None:
        """Merge small segments, drop deleted points, lay each cluster's vectors side by side."""
        with self._engine() as shard:
            if shard.optimize():
                self._warm()
            shard.flush()
            self._changed = 0

    def close(self) -> None:
        """Flush and let go of the folder; closing twice is harmless."""
        with self._lock:
            shard, self._shard = self._shard, None
            if shard is not None:
                # On a full disk nothing is lost: the log has what could not be flushed.
                with suppress(DiskFull), translated(self._path):
                    try:
                        shard.flush()
                    finally:
                        shard.close()

    def _note_changes(self, shard: engine.EdgeShard, count: int, *, at_least: int = 0) -> None:
        """Tidy little and often: the work, and with it the stall, grows with what has piled up."""
        self._changed += count
        if self._changed >= max(self._flush_points, at_least):
            shard.flush()
            if shard.optimize():
                self._warm()
            self._changed = 0

    def _warm(self) -> None:
        """Have the vectors in the page cache: the next merge or search reads them again."""
        for name in ("matrix.dat", "quantized.data"):
            fetch(self._path.glob(f"segments/*/vector_storage/{name}"))

    @contextmanager
    def _writing(self) -> Iterator[engine.EdgeShard]:
        """The engine for a write, whole or in part: what was counted before is wrong from here."""
        with self._engine() as shard:
            self._counts.clear()
            yield shard

    @contextmanager
    def _engine(self) -> Iterator[engine.EdgeShard]:
        with self._lock:
            if self._shard is None:
                raise StoreError(f"store {self._path} is closed: open it again")
            with translated(self._path):
                yield self._shard


def _create(path: Path) -> None:
    """Make an empty collection beside `path`, then rename: it is complete or absent."""
    beside = path.with_name(NEW_PREFIX + path.name)
    keyword = engine.KeywordIndexParams
    with translated(path):
        shutil.rmtree(beside, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        shard = engine.EdgeShard.create(str(beside), _config())
        try:
            for field, index in (
                ("cluster", keyword(is_tenant=True, memory=engine.Memory.Cold)),
                ("root", keyword(memory=engine.Memory.Cold)),
                # The other fields of `--where` are read from each point that is looked at, 2 to 4
                # ms for 1,000: indexes on them all would double the time of writing (measured).
                ("folders", keyword(memory=engine.Memory.Cold)),
            ):
                shard.update(engine.UpdateOperation.create_field_index(field, index))
            shard.flush()
        finally:
            shard.close()  # the shard goes on writing to the path it was made with
        os.rename(beside, path)


def _config() -> engine.EdgeConfig:
    cold = engine.Memory.Cold
    return engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(
            size=EMBEDDING_SIZE,
            distance=engine.Distance.Cosine,
            datatype=engine.VectorStorageDatatype.Float16,
            memory=cold,
            # Half the bytes to scan; Float16 has the last word (`_params`).
            quantization_config=engine.ScalarQuantizationConfig(
                engine.ScalarType.Int8, memory=cold
            ),
        ),
        # No graph: a search inside one cluster is a scan over vectors that lie side by side.
        hnsw_config=engine.HnswIndexConfig(
            m=0, payload_m=0, ef_construct=100, full_scan_threshold=10, memory=cold
        ),
        optimizers=engine.EdgeOptimizersConfig(
            default_segment_number=1,
            max_segment_size=SEGMENT_KILOBYTES,
            indexing_threshold=MERGE_KILOBYTES,
        ),
        payload_memory=cold,
        id_tracker_memory=cold,
        wal_enabled=True,  # also the engine's lock: without it two processes open one shard
    )


def _request(
    probe: Probe, vector: list[float], with_records: bool, params: engine.SearchParams
) -> engine.QueryRequest:
    return engine.QueryRequest(
        limit=probe.limit,
        query=engine.Query.Nearest(vector),
        filter=payload_filter(probe.cluster, probe.where),
        with_payload=with_records,
        with_vector=False,
        params=params,
    )


def _params(probe: Probe, segments: int) -> engine.SearchParams:
    """Int8 first inside a cluster; collections made before there was Int8 pass over this.

    Each segment looks again at as many vectors as the answer is long and, because Int8 may have
    them in the wrong order, at its share of as many more.
    """
    scanned = max(1, segments - 1)  # one more takes in what is new, and is not scanned in Int8
    wanted = max(RESCORED, probe.limit + math.ceil(probe.limit / scanned))
    if probe.cluster is None or probe.exact or probe.limit < 1 or wanted > MOST_RESCORED:
        return engine.SearchParams(quantization=engine.QuantizationSearchParams(ignore=True))
    return engine.SearchParams(
        quantization=engine.QuantizationSearchParams(
            rescore=True, oversampling=wanted / probe.limit
        )
    )


def _known(ids: Sequence[str]) -> list[engine.PointId]:
    return list(possible_ids(ids))


def _as_text(point_id: int | UUID | str | None) -> str | None:
    return None if point_id is None else str(point_id)


def _scored(point: engine.ScoredPoint) -> ScoredImage:
    point_id = str(point.id)
    payload = point.payload
    record = None if payload is None else ImageRecord.from_payload(point_id, payload)
    # Rounding to Float16 can carry a score past the ends.
    return ScoredImage(point_id, max(-1.0, min(1.0, point.score)), record)


def _stored(point: engine.Record) -> StoredImage:
    record = ImageRecord.from_payload(str(point.id), point.payload or {})
    vector = None if point.vector is None else np.asarray(point.vector, dtype=np.float32)
    return StoredImage(record, vector)
