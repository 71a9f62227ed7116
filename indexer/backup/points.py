"""Points as two plain files: records as lines of JSON, vectors as raw Float16."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from indexer.moving.copying import unit_vectors
from shared.errors import LookalikeError
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, StoredImage

_BYTES_PER_VECTOR = 2 * EMBEDDING_SIZE
_TEXTS = ("id", "root", "path", "sha256", "phash", "format", "indexed_at", "encoder")
_COUNTS = ("width", "height", "bytes")


def pack(points: Sequence[StoredImage]) -> tuple[bytes, bytes]:
    """Records and vectors of points. Raises `StoreError` for a vector without a direction."""
    lines = (
        json.dumps({"id": point.record.id} | point.record.to_payload(), separators=(",", ":"))
        for point in points
    )
    text = "".join(line + "\n" for line in lines)
    return text.encode(), unit_vectors(points).astype("<f2").tobytes()


def unpack(text: bytes, raw: bytes, count: int) -> tuple[list[ImageRecord], Embeddings]:
    """`count` records and their vectors, float32 (count, 512) with unit rows, as `pack` wrote them.

    Raises `LookalikeError` for anything else.
    """
    lines = text.splitlines()
    if len(lines) != count or len(raw) != count * _BYTES_PER_VECTOR:
        raise LookalikeError(
            f"has {len(lines)} records and {len(raw)} bytes of vectors where {count} points belong"
        )
    records = [_record(line) for line in lines]
    vectors = np.frombuffer(raw, "<f2").reshape(count, EMBEDDING_SIZE).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.abs(lengths - 1) < 0.5).all():
        raise LookalikeError("has a vector that is not of unit length")
    return records, vectors / lengths


def _record(line: bytes) -> ImageRecord:
    try:
        value = json.loads(line)
        _check(value)
        return ImageRecord.from_payload(value["id"], value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LookalikeError(f"has a record that cannot be read: {error!r}") from error


def _check(value: Mapping[str, Any]) -> None:
    """Raise ValueError for a field of the wrong kind: the store would take it, its readers not."""
    optional = [name for name in ("taken_at", "path_raw") if value.get(name) is not None]
    kinds: list[tuple[str, type | tuple[type, ...]]] = [
        *((name, str) for name in (*_TEXTS, *optional)),
        *((name, int) for name in _COUNTS),
        *((name, int) for name in ("phash_version",) if name in value),
        ("mtime", (int, float)),
        ("folders", list),
        ("cluster", list),
    ]
    for name, kind in kinds:
        if not isinstance(value[name], kind):
            raise ValueError(f"{name} is {value[name]!r}")
    if not all(isinstance(text, str) for text in (*value["folders"], *value["cluster"])):
        raise ValueError("folders and cluster hold texts")
