"""What files are on their way through the pipeline, and the records that they become."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from indexer.journal import File
from shared.clustering import Clustering
from shared.decoding.messages import Outcome
from shared.points import point_id
from shared.reading import Signature
from shared.types import (
    PHASH_VERSION,
    Embeddings,
    ImageRecord,
    StoredImage,
    ancestor_folders,
    record_path,
)


@dataclass(slots=True)
class Read:
    """A file that was read: its content is either decoded or known to the store."""

    file: File
    signature: Signature
    sha256: str
    outcome: Outcome


@dataclass(slots=True)
class Batch:
    """Files that are written together, while those of the next batch are encoded.

    `encoded`: for each target, vectors by content of what was decoded; of more than are needed
    where the store turns out to hold a content.
    """

    read: list[Read]
    refused: list[tuple[File, Signature, str]]
    encoded: list[Future[dict[str, Embeddings]]] = field(default_factory=list)

    @property
    def contents(self) -> dict[str, Read]:
        """One file of each content."""
        return {read.sha256: read for read in self.read}


@dataclass(slots=True)
class Vectors:
    """Vectors by content, and the stored point that each reused one came from."""

    by_content: dict[str, Embeddings] = field(default_factory=dict)
    sources: dict[str, StoredImage] = field(default_factory=dict)


def labels_held(
    labels: Sequence[str], rows: Embeddings, following: Clustering | None
) -> list[tuple[str, ...]]:
    """The labels that each point gets: its own, and beside it that of the following clusters."""
    if following is None:
        return [(label,) for label in labels]
    numbers = following.predict(rows)
    return [
        (label, following.label(int(number))) for label, number in zip(labels, numbers, strict=True)
    ]


def record_of(
    read: Read, labels: tuple[str, ...], collection: str, source: StoredImage | None
) -> ImageRecord:
    """The record of a file: of its decoded picture, or as that of a point of the same content.

    Raises ValueError if it has neither.
    """
    root, relative = read.file.root, read.file.path
    path, path_raw = record_path(relative)
    here: dict[str, Any] = {
        "id": point_id(root, relative),
        "root": root,
        "path": path,
        "path_raw": path_raw,
        "folders": ancestor_folders(relative),
        "cluster": labels,
        "mtime": read.signature.mtime_ns / 1e9,
        "indexed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if source is not None:
        return replace(source.record, **here)
    decoded = read.outcome.decoded
    if decoded is None:
        raise ValueError(f"{path!r} has neither pixels nor a stored vector")
    return ImageRecord(
        sha256=read.sha256,
        phash=decoded.phash,
        phash_version=PHASH_VERSION,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        bytes=read.signature.size,
        taken_at=decoded.taken_at,
        encoder=collection,
        **here,
    )
