"""How an embedded collection is made.

The choices were measured, see `docs/decisions/0001-embedded-store.md`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import qdrant_edge as engine

from shared.store.edge.faults import Translated
from shared.types import EMBEDDING_SIZE

SEGMENT_KILOBYTES = 7_400
"""Largest segment: 7,000 points in Float16 and what a batch adds. To write one stalls the process
for a fifth of a second, and every search pays for each."""
MERGE_KILOBYTES = 1_000
"""Segments of more plain vectors than this, about 1,000, are rewritten cluster by cluster."""
NEW_PREFIX = ".new-"
"""How a collection is called until it is complete."""


def create_collection(path: Path) -> None:
    """Make an empty collection beside `path`, then rename: it is complete or absent."""
    beside = path.with_name(NEW_PREFIX + path.name)
    keyword = engine.KeywordIndexParams
    with Translated(path):
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
            # Half the bytes to scan; Float16 has the last word (`queries`).
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
