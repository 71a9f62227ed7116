"""Points as Qdrant's server takes and gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import numpy as np
from qdrant_client import models

from shared.store.server.filters import among
from shared.store.server.plan import VECTOR
from shared.types import Embeddings, ImageRecord, ScoredImage, StoredImage

DIGITS = 7
"""Decimals of a vector's numbers on the wire. Float16, as they are kept, has three."""

Ids: TypeAlias = list[int | str | UUID]
"""Ids as the client declares them; ours are texts."""


def batch(records: Sequence[ImageRecord], rows: Embeddings) -> models.Batch:
    """Points to write, row i of `rows` (n, 512) belonging to `records[i]`."""
    ids: Ids = [record.id for record in records]
    return models.Batch(
        ids=ids,
        vectors={VECTOR: [*numbers(rows)]},
        payloads=[record.to_payload() for record in records],
    )


def numbers(rows: Embeddings) -> list[list[float]]:
    """Vectors (n, 512) as JSON has them, in half the letters that float32 would take."""
    rounded: list[list[float]] = np.round(rows.astype(np.float64), DIGITS).tolist()
    return rounded


def relabelling(labels: Sequence[tuple[str, tuple[str, ...]]]) -> list[models.UpdateOperation]:
    """One operation for all points that get the same labels."""
    together: dict[tuple[str, ...], list[str]] = {}
    for point_id, held in labels:
        together.setdefault(held, []).append(point_id)
    return [
        models.SetPayloadOperation(
            set_payload=models.SetPayload(payload={"cluster": list(held)}, filter=among(ids))
        )
        for held, ids in together.items()
    ]


def scored(point: models.ScoredPoint) -> ScoredImage:
    """One answer of a search."""
    point_id = str(point.id)
    payload = point.payload
    record = None if payload is None else ImageRecord.from_payload(point_id, payload)
    # Rounding to Float16 can carry a score past the ends.
    return ScoredImage(point_id, max(-1.0, min(1.0, point.score)), record)


def stored(point: models.Record) -> StoredImage:
    """One point read back, with its vector if that was asked for."""
    record = ImageRecord.from_payload(str(point.id), point.payload or {})
    vector = point.vector
    if not isinstance(vector, dict):
        return StoredImage(record, None)
    return StoredImage(record, np.asarray(vector[VECTOR], dtype=np.float32))
