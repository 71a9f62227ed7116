"""Copying points from store to store: only what is missing or differs.

So a copy may be cut off at any moment: begun again, it passes over what has arrived, and a pass
that writes nothing proves that every record is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.relabel import Pulse
from shared.errors import StoreError
from shared.store.protocol import VectorStore
from shared.types import Embeddings, ImageRecord, StoredImage

MTIME_TOLERANCE = 1e-6
"""Seconds. On the way through JSON a float may lose its last bit."""


@dataclass(slots=True)
class Copied:
    """What one pass came to: `points` that the source has, `written` of them, `absent` that it
    should have and has not. `stopped`: it ended early."""

    points: int = 0
    written: int = 0
    absent: int = 0
    stopped: bool = False


def copy_differing(
    pages: Iterable[Sequence[str]], source: VectorStore, target: VectorStore, pulse: Pulse
) -> Copied:
    """Write to the target those points that it lacks or has otherwise. Raises `StoreError`."""
    copied = Copied()
    for ids in pages:
        here = source.get(ids)
        wanted = differing(here, target.get(ids))
        points = list(source.get(wanted, with_vectors=True).values()) if wanted else []
        if points:
            target.upsert([point.record for point in points], unit_vectors(points))
        copied.points += len(here)
        copied.written += len(points)
        copied.absent += len(ids) - len(here)
        if pulse(len(ids)):
            copied.stopped = True
            break
    return copied


def differing(here: dict[str, StoredImage], there: dict[str, StoredImage]) -> list[str]:
    """Ids of points here that are not there, or with another record."""
    return [
        key
        for key, point in here.items()
        if key not in there or not is_same(point.record, there[key].record)
    ]


def is_same(one: ImageRecord, other: ImageRecord) -> bool:
    """Whether two records say the same. A vector that was written anew has another `indexed_at`."""
    return abs(one.mtime - other.mtime) <= MTIME_TOLERANCE and (
        replace(other, mtime=one.mtime) == one
    )


def unit_vectors(points: Sequence[StoredImage]) -> Embeddings:
    """The vectors of points as float32 (n, 512), of unit length again after their rounding.

    Raises `StoreError` naming a point whose vector has no direction.
    """
    rows = []
    for point in points:
        length = 0.0 if point.vector is None else float(np.linalg.norm(point.vector))
        if point.vector is None or not np.isfinite(length) or length < 0.5:
            raise StoreError(
                f"the vector of {point.record.path!r} ({point.record.id}) cannot be used: "
                "run `indexer doctor --repair` first"
            )
        rows.append(point.vector / np.float32(length))
    return np.stack(rows)
