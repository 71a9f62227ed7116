"""Short measurements of what indexing costs beside the store: journal, listing, decoding."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import mosaics
from benchmarks.scale.paths import ROOT, relative
from indexer.database import Database
from indexer.journal import Indexed, Journal
from indexer.listing import Chooser, list_root
from indexer.partition import Partition
from shared.clustering import Clustering
from shared.images import pixels
from shared.points import point_id
from shared.reading import Signature
from shared.types import ImageRecord, PixelSpec, ancestor_folders

_BATCH = 64


def image_record(number: int, label: str) -> ImageRecord:
    """A payload as an indexed photograph has it."""
    path = relative(number)
    return ImageRecord(
        id=point_id(ROOT, path),
        root=ROOT,
        path=path.decode(),
        folders=ancestor_folders(path),
        cluster=(label,),
        sha256=f"{number:064x}",
        phash=f"{number:016x}",
        width=4_000,
        height=3_000,
        format="JPEG",
        bytes=3_500_000 + number,
        mtime=1.7e9 + number,
        taken_at="2026-03-01T12:00:00",
        indexed_at="2026-11-24T12:00:00+00:00",
        encoder="0123456789abcdef",
    )


def payload_bytes() -> int:
    """Bytes of a payload as JSON."""
    return len(json.dumps(image_record(123_456, "g1/3").to_payload(), separators=(",", ":")))


def journal(path: Path, count: int, labels: list[str], collection: str) -> dict[str, Any]:
    """Owe and finish `count` paths in batches as a scan does; bytes and core-µs a path."""
    database = Database(path)
    kept = Journal(database)
    began = time.process_time()
    for start in range(0, count, _BATCH):
        rows = range(start, min(start + _BATCH, count))
        signs = {row: Signature(3_500_000 + row, 10**18 + row, 10**18, row, 65_024) for row in rows}
        kept.owe([(ROOT, relative(row), signs[row]) for row in rows])
        done = [
            (Indexed(ROOT, relative(row), f"{row:064x}", labels[row % len(labels)]), signs[row])
            for row in rows
        ]
        kept.done(collection, done)
    written = time.process_time() - began
    database.close()
    return {"rows": count, "core_us": written / count * 1e6, "bytes": path.stat().st_size / count}


def listing(work: Path, count: int) -> dict[str, Any]:
    """List `count` empty files, 1,000 to a folder, warm: core-microseconds and bytes a file.

    `foreign_core_us`: where nearly all files belong to other indexers.
    """
    for number in range(count):
        path = work / os.fsdecode(relative(number))
        if number % 1_000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    mine = Chooser([])
    others = Chooser([], part=partial(Partition(1_024, 1_024).has, ROOT))
    seconds = {
        name: min(_cpu(partial(list_root, os.fsencode(work), chooser)) for _ in range(3))
        for name, chooser in (("core_us", mine), ("foreign_core_us", others))
    }
    tracemalloc.start()
    found = list_root(os.fsencode(work), mine)
    held = tracemalloc.get_traced_memory()[0] / len(found.files)
    tracemalloc.stop()
    each = {name: one / count * 1e6 for name, one in seconds.items()}
    return {"files": count, "bytes": held, **each}


def compared(path: Path, count: int) -> float:
    """Core-microseconds to read one remembered file from the journal, as every listing does."""
    database = Database(path)
    kept = Journal(database)
    seconds = _cpu(lambda: sum(1 for _ in kept.files(ROOT)))
    database.close()
    return seconds / count * 1e6


def examined(path: Path, collection: str) -> float:
    """Bytes that `indexer doctor` holds for one file of the journal, beside the listing's."""
    database = Database(path)
    kept = Journal(database)
    tracemalloc.start()
    files = {(ROOT, file.path): file for file in kept.files(ROOT)}
    points = {(p.root, p.path): (p.sha256, p.cluster) for p in kept.points(collection)}
    seen = set(points)
    held = tracemalloc.get_traced_memory()[0] / len(seen | files.keys())
    tracemalloc.stop()
    database.close()
    return held


def decoding(work: Path, photos: list[Path], spec: PixelSpec) -> dict[str, Any]:
    """Core-milliseconds to read, hash and decode one picture, by its edge in pixels."""
    found: dict[str, Any] = {}
    for edge, count in ((512, 60), (3_584, 12)):
        files = mosaics(work / str(edge), count, edge // 128, photos)
        seconds = []
        for file in files:
            began = time.process_time()
            pixels(file, spec)
            seconds.append(time.process_time() - began)
        size = sum(file.stat().st_size for file in files) / count
        found[str(edge)] = {"core_ms": float(np.median(seconds)) * 1e3, "bytes": size}
    return found


def predicted(points: np.ndarray[Any, Any], clusters: Clustering) -> float:
    """Core-microseconds to name a vector's cluster, in batches of 500."""
    seconds = _cpu(lambda: [clusters.predict(points[n : n + 500]) for n in range(0, 20_000, 500)])
    return seconds / 20_000 * 1e6


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
