"""One pipeline for scan and watch: decode in a pool, encode in batches, upsert, mark done."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from indexer.arrivals import Arrived
from indexer.journal import File, Indexed, Journal
from shared.clustering import Clustering
from shared.decoding.messages import Job, Outcome
from shared.decoding.pool import DecodingPool
from shared.points import point_id
from shared.reading import Signature
from shared.store.protocol import UNIT_TOLERANCE, VectorStore
from shared.types import (
    EMBEDDING_SIZE,
    Embeddings,
    Encoder,
    ImageRecord,
    StoredImage,
    ancestor_folders,
    record_path,
)

TAKE_SECONDS = 0.2
"""Longest wait for a decoder before looking at the stop sign again."""


@dataclass(frozen=True, slots=True)
class Target:
    """One collection to keep true: its encoder, its clustering and its store.

    `following`: clusters of the same encoder that whoever leads is moving to: points that come
    meanwhile get a label of both.
    """

    encoder: Encoder
    clustering: Clustering
    store: VectorStore
    following: Clustering | None = None

    @property
    def collection(self) -> str:
        """Collections are named by their encoder."""
        return self.encoder.id


@dataclass(slots=True)
class Tally:
    """What a run did. `encoded` counts pictures put through a network, `reused` those whose vector
    was already in the store under another name or an older time stamp."""

    indexed: int = 0
    encoded: int = 0
    reused: int = 0
    refused: int = 0
    unsettled: int = 0

    @property
    def finished(self) -> int:
        """Files that left the backlog."""
        return self.indexed + self.refused + self.unsettled


@dataclass(slots=True)
class _Read:
    """A file that was read: its content is either decoded or known to the store."""

    file: File
    signature: Signature
    sha256: str
    outcome: Outcome


@dataclass(slots=True)
class _Vectors:
    """Vectors by content, and the stored point that each reused one came from."""

    by_content: dict[str, Embeddings] = field(default_factory=dict)
    sources: dict[str, StoredImage] = field(default_factory=dict)


class Pipeline:
    """Brings owed files into every target. All is idempotent: what fails half-way stays owed.

    `before_batch` is called before anything is written and may raise (disk full). Raises
    `StoreError` and `JournalError`; after that the same pipeline may be run again.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        journal: Journal,
        pool: DecodingPool,
        *,
        batch_size: int,
        before_batch: Callable[[], None],
    ) -> None:
        self._targets, self._journal, self._pool = tuple(targets), journal, pool
        self._batch_size, self._before_batch = batch_size, before_batch
        self._keys = itertools.count()
        self._under_way: dict[int, File] = {}
        self._read: list[_Read] = []
        self._refused: list[tuple[File, Signature, str]] = []
        self._report: Callable[[int], None] = _tell_nobody
        self.tally = Tally()

    def retarget(self, targets: Sequence[Target]) -> None:
        """Go on with other clusterings of the same encoders. Not while `run` is at work."""
        self._targets = tuple(targets)

    def run(
        self,
        pages: Iterable[Sequence[File]],
        folders: Mapping[str, bytes],
        report: Callable[[int], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Index pages of owed files; `folders` gives each root's folder. Counts go to `tally`.

        `report` is told after every batch how many more files are finished. When `stop` says so,
        what has been decoded is written and the rest stays owed.
        """
        self._report = report or _tell_nobody
        try:
            for file, known in self._with_known(pages):
                while len(self._under_way) >= self._pool.capacity and not stop():
                    self._take(folders)
                if stop():
                    break
                self._submit(file, folders, known)
            self._pool.push()
            while self._under_way and not stop():
                self._take(folders)
                self._pool.push()
            self._write()
        finally:
            # After an error or a stop, late outcomes find no key here and are passed over.
            self._under_way.clear()
            self._read, self._refused = [], []

    def _with_known(self, pages: Iterable[Sequence[File]]) -> Iterator[tuple[File, Sequence[str]]]:
        for page in pages:
            known = self._journal.known_contents({file.signature.size for file in page})
            for file in page:
                yield file, known.get(file.signature.size, ())

    def _submit(self, file: File, folders: Mapping[str, bytes], known: Iterable[str]) -> None:
        key = next(self._keys)
        self._under_way[key] = file
        self._pool.submit(key, Job(folders[file.root] + b"/" + file.path, tuple(known)))

    def _take(self, folders: Mapping[str, bytes]) -> None:
        taken = self._pool.take(TAKE_SECONDS)
        if taken is None:
            return
        key, outcome = taken
        file = self._under_way.pop(key, None)
        if file is None:
            return
        if outcome.signature not in (None, file.signature):
            self._unsettle(file)  # it changed since it was owed, so it may still be written to
        elif outcome.kind == "known" and not self._can_reuse(outcome.sha256 or ""):
            self._submit(file, folders, ())
        elif outcome.kind == "refused" and outcome.signature is not None:
            self._refused.append((file, outcome.signature, outcome.reason or "is refused"))
        elif outcome.signature is not None:
            sha256 = outcome.decoded.sha256 if outcome.decoded else outcome.sha256 or ""
            self._read.append(_Read(file, outcome.signature, sha256, outcome))
        else:
            self._unsettle(file)
        if len(self._read) + len(self._refused) >= self._batch_size:
            self._write()

    def _unsettle(self, file: File) -> None:
        self._journal.unsettle(file.root, file.path)
        self.tally.unsettled += 1

    def _can_reuse(self, sha256: str) -> bool:
        return all(self._stored(target, [sha256]) for target in self._targets)

    def _stored(self, target: Target, contents: Collection[str]) -> dict[str, StoredImage]:
        """For each content that the store holds under some name: that point, with its vector."""
        holders = self._journal.holders(target.collection, contents)
        ids = {point_id(point.root, point.path): sha256 for sha256, point in holders.items()}
        found = target.store.get(list(ids), with_vectors=True) if ids else {}
        return {
            ids[key]: point
            for key, point in found.items()
            if point.record.sha256 == ids[key] and point.vector is not None
        }

    def _write(self) -> None:
        if not self._read and not self._refused:
            return
        self._before_batch()
        before = self.tally.finished
        ready = self._read
        for number, target in enumerate(self._targets):
            vectors = self._vectors(target, ready)
            ready = self._without_bad(ready, vectors)
            self._upsert(target, ready, vectors, last=number == len(self._targets) - 1)
        self._refuse()
        self._read = []
        self._report(self.tally.finished - before)

    def _vectors(self, target: Target, ready: Sequence[_Read]) -> _Vectors:
        """The vector of every content: from the store where it has it, else from the encoder."""
        contents = {read.sha256: read for read in ready}
        found = _Vectors(sources=self._stored(target, contents))
        for sha256, point in found.sources.items():
            if point.vector is not None:
                found.by_content[sha256] = point.vector
        place = self._targets.index(target)
        new = [
            (sha256, read.outcome.decoded.pixels[place])
            for sha256, read in contents.items()
            if sha256 not in found.by_content and read.outcome.decoded is not None
        ]
        if new:
            rows = target.encoder.encode(np.stack([pixels for _, pixels in new]))
            found.by_content |= {sha256: row for (sha256, _), row in zip(new, rows, strict=True)}
        self.tally.encoded += len(new)
        self.tally.reused += len(ready) - len(new)
        return found

    def _without_bad(self, ready: Sequence[_Read], vectors: _Vectors) -> list[_Read]:
        """The files whose vector can be stored; the others are refused."""
        good = []
        for read in ready:
            vector = vectors.by_content.get(read.sha256)
            length = 0.0 if vector is None else float(np.linalg.norm(vector))
            if abs(length - 1) <= UNIT_TOLERANCE:
                good.append(read)
            else:
                reason = f"the encoder gives it a vector of length {length:.3g}, not 1"
                self._refused.append((read.file, read.signature, reason))
        return good

    def _upsert(
        self, target: Target, ready: Sequence[_Read], vectors: _Vectors, *, last: bool
    ) -> None:
        if not ready:
            return
        rows: Embeddings = np.stack([vectors.by_content[read.sha256] for read in ready])
        rows = rows.reshape(len(ready), EMBEDDING_SIZE)
        distances = target.clustering.distances(rows)
        labels = [target.clustering.label(int(number)) for number in distances.argmin(axis=1)]
        # What was in the store before, under another name, did not arrive.
        came = [row for row, read in enumerate(ready) if read.sha256 not in vectors.sources]
        arrived = Arrived(target.clustering.generation, distances.min(axis=1)[came])
        records = [
            _record(read, held, target.collection, vectors.sources.get(read.sha256))
            for read, held in zip(ready, _held(labels, rows, target), strict=True)
        ]
        target.store.upsert(records, rows)
        done = [
            (Indexed(read.file.root, read.file.path, read.sha256, label), read.signature)
            for read, label in zip(ready, labels, strict=True)
        ]
        self._journal.done(target.collection, done, settled=last, arrived=arrived)
        if last:
            self.tally.indexed += len(ready)

    def _refuse(self) -> None:
        ids = [point_id(file.root, file.path) for file, _, _ in self._refused]
        if ids:
            for target in self._targets:
                target.store.delete(ids)
            self._journal.refuse(
                (file.root, file.path, signature, reason)
                for file, signature, reason in self._refused
            )
            self.tally.refused += len(ids)
            self._refused = []


def _tell_nobody(_finished: int) -> None:
    pass


def _held(labels: Sequence[str], rows: Embeddings, target: Target) -> list[tuple[str, ...]]:
    """The labels that each point gets: its own, and beside it that of the following clusters."""
    following = target.following
    if following is None:
        return [(label,) for label in labels]
    numbers = following.predict(rows)
    return [
        (label, following.label(int(number))) for label, number in zip(labels, numbers, strict=True)
    ]


def _record(
    read: _Read, labels: tuple[str, ...], collection: str, source: StoredImage | None
) -> ImageRecord:
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
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        bytes=read.signature.size,
        taken_at=decoded.taken_at,
        encoder=collection,
        **here,
    )
