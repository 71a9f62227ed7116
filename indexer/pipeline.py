"""One pipeline for scan and watch: decode in a pool, encode in batches, upsert, mark done."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from indexer.arrivals import Arrived
from indexer.batch import Batch, Read, Vectors, labels_held, record_of
from indexer.journal import File, Indexed, Journal
from shared.clustering import Clustering
from shared.decoding.messages import Job, Outcome
from shared.decoding.pool import DecodingPool
from shared.errors import LookalikeError
from shared.points import point_id
from shared.reading import Signature
from shared.store.protocol import UNIT_TOLERANCE, VectorStore
from shared.types import (
    EMBEDDING_SIZE,
    Embeddings,
    Encoder,
    Pixels,
    StoredImage,
)

_log = logging.getLogger(__name__)

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
    waiting: int = 0

    @property
    def settled(self) -> int:
        """Files that got an outcome."""
        return self.indexed + self.refused

    @property
    def finished(self) -> int:
        """Files that left the backlog."""
        return self.settled + self.unsettled + self.waiting


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
        self._read: list[Read] = []
        self._refused: list[tuple[File, Signature, str]] = []
        self._begun: deque[Batch] = deque()
        self._encoding = ThreadPoolExecutor(1, "pipeline")  # encoders have one caller at a time
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
            self._begin()
            self._write(all_but=0)
        finally:
            # After an error or a stop, late outcomes find no key here and are passed over.
            self._under_way.clear()
            self._begun.clear()
            self._read, self._refused = [], []

    def _with_known(self, pages: Iterable[Sequence[File]]) -> Iterator[tuple[File, Sequence[str]]]:
        for page in pages:
            known = self._journal.known_contents({file.signature.size for file in page})
            for file in page:
                yield file, known.get(file.signature.size, ())

    def _submit(self, file: File, folders: Mapping[str, bytes], known: Iterable[str]) -> None:
        key = next(self._keys)
        with self._contained(file, file.signature, self._refused):
            self._pool.submit(key, Job(folders[file.root] + b"/" + file.path, tuple(known)))
            self._under_way[key] = file

    def _take(self, folders: Mapping[str, bytes]) -> None:
        if self._begun and all(one.done() for one in self._begun[0].encoded):
            self._write(all_but=len(self._begun) - 1)  # nobody shall wait for a slow picture
        taken = self._pool.take(TAKE_SECONDS)
        if taken is None:
            return
        key, outcome = taken
        file = self._under_way.pop(key, None)
        if file is None:
            return
        with self._contained(file, file.signature, self._refused):
            self._sort(file, outcome, folders)
        if len(self._read) + len(self._refused) >= self._batch_size:
            self._begin()
            self._write(all_but=1)

    @contextlib.contextmanager
    def _contained(
        self, file: File, signature: Signature, refused: list[tuple[File, Signature, str]]
    ) -> Iterator[None]:
        """Refuse a file that causes an unexpected exception, instead of ending all the others."""
        try:
            yield
        except LookalikeError:
            raise  # the store, the journal or the disk: no fault of this file
        except Exception as error:  # noqa: BLE001 - one file must not end the others
            _log.exception("indexing %r failed", file.path)
            refused.append((file, signature, f"internal error: {error!r}"))

    def _sort(self, file: File, outcome: Outcome, folders: Mapping[str, bytes]) -> None:
        """Put a file where its outcome belongs."""
        if outcome.kind == "waiting":
            self._journal.wait(file.root, file.path, outcome.reason or "cannot be read")
            self.tally.waiting += 1
        elif outcome.signature not in (None, file.signature):
            self._unsettle(file)  # it changed since it was owed, so it may still be written to
        elif outcome.kind == "known" and not self._can_reuse(outcome.sha256 or ""):
            self._submit(file, folders, ())
        elif outcome.kind == "refused" and outcome.signature is not None:
            self._refused.append((file, outcome.signature, outcome.reason or "is refused"))
        elif outcome.signature is not None:
            sha256 = outcome.decoded.sha256 if outcome.decoded else outcome.sha256 or ""
            self._read.append(Read(file, outcome.signature, sha256, outcome))
        else:
            self._unsettle(file)

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

    def _begin(self) -> None:
        """Have what was decoded encoded, beside all else that goes on."""
        if not self._read and not self._refused:
            return
        batch = Batch(self._read, self._refused)
        self._read, self._refused = [], []
        before = [earlier.contents for earlier in self._begun]
        new = {
            sha256: read.outcome.decoded.pixels
            for sha256, read in batch.contents.items()
            # What an earlier batch is about to write will come from the store.
            if read.outcome.decoded and not any(sha256 in earlier for earlier in before)
        }
        for place, target in enumerate(self._targets):
            held = self._journal.holders(target.collection, new)
            pixels = {sha256: each[place] for sha256, each in new.items() if sha256 not in held}
            batch.encoded.append(self._encoding.submit(_encoded, target.encoder, pixels))
        self._begun.append(batch)

    def _write(self, *, all_but: int) -> None:
        """Write the batches that were begun, but the latest so many."""
        while len(self._begun) > all_but:
            batch = self._begun.popleft()
            encoded = [one.result() for one in batch.encoded]
            self._before_batch()
            before = self.tally.finished
            for number, target in enumerate(self._targets):
                vectors = self._vectors(target, batch, encoded[number])
                self._set_bad_aside(batch, vectors)
                is_last = number == len(self._targets) - 1
                self._upsert_contained(target, batch, vectors, last=is_last)
            self._refuse(batch)
            self._report(self.tally.finished - before)

    def _vectors(self, target: Target, batch: Batch, encoded: Mapping[str, Embeddings]) -> Vectors:
        """The vector of every content: from the store where it has it, else from the encoder."""
        contents = batch.contents
        found = Vectors(sources=self._stored(target, contents))
        for sha256, point in found.sources.items():
            if point.vector is not None:
                found.by_content[sha256] = point.vector
        place = self._targets.index(target)
        new = {
            sha256: read.outcome.decoded.pixels[place]
            for sha256, read in contents.items()
            if sha256 not in found.by_content and read.outcome.decoded
        }
        found.by_content |= {sha256: encoded[sha256] for sha256 in new.keys() & encoded.keys()}
        left = {sha256: new[sha256] for sha256 in new.keys() - encoded.keys()}
        if left:  # an earlier batch was to bring them, and its store has lost them again
            found.by_content |= self._encoding.submit(_encoded, target.encoder, left).result()
        self.tally.encoded += len(new)
        self.tally.reused += len(batch.read) - len(new)
        return found

    def _set_bad_aside(self, batch: Batch, vectors: Vectors) -> None:
        """Refuse the files whose vector cannot be stored."""
        good = []
        for read in batch.read:
            vector = vectors.by_content.get(read.sha256)
            length = 0.0 if vector is None else float(np.linalg.norm(vector))
            if abs(length - 1) <= UNIT_TOLERANCE:
                good.append(read)
            else:
                reason = f"the encoder gives it a vector of length {length:.3g}, not 1"
                batch.refused.append((read.file, read.signature, reason))
        batch.read = good

    def _upsert_contained(
        self, target: Target, batch: Batch, vectors: Vectors, *, last: bool
    ) -> None:
        """Write a batch; if that fails unexpectedly, one file after the other, and refuse those
        that fail alone."""
        try:
            self._upsert(target, batch.read, vectors, last=last)
        except LookalikeError:
            raise
        except Exception:  # noqa: BLE001 - what fails is found one by one
            _log.exception("writing a batch failed: writing its files one by one")
            read, batch.read = batch.read, []
            for one in read:
                with self._contained(one.file, one.signature, batch.refused):
                    self._upsert(target, [one], vectors, last=last)
                    batch.read.append(one)

    def _upsert(
        self, target: Target, ready: Sequence[Read], vectors: Vectors, *, last: bool
    ) -> None:
        if not ready:
            return
        rows: Embeddings = np.stack([vectors.by_content[read.sha256] for read in ready])
        rows = rows.reshape(len(ready), EMBEDDING_SIZE)
        distances = target.clustering.distances(rows)
        labels = [target.clustering.label(int(number)) for number in distances.argmin(axis=1)]
        # A content arrives once: not under a second name, whether now or later.
        rows_of = {read.sha256: row for row, read in enumerate(ready)}
        came = [row for sha256, row in rows_of.items() if sha256 not in vectors.sources]
        arrived = Arrived(target.clustering.generation, distances.min(axis=1)[came])
        records = [
            record_of(read, held, target.collection, vectors.sources.get(read.sha256))
            for read, held in zip(ready, labels_held(labels, rows, target.following), strict=True)
        ]
        target.store.upsert(records, rows)
        done = [
            (Indexed(read.file.root, read.file.path, read.sha256, label), read.signature)
            for read, label in zip(ready, labels, strict=True)
        ]
        self._journal.done(target.collection, done, settled=last, arrived=arrived)
        if last:
            self.tally.indexed += len(ready)

    def _refuse(self, batch: Batch) -> None:
        ids = [point_id(file.root, file.path) for file, _, _ in batch.refused]
        if ids:
            for target in self._targets:
                target.store.delete(ids)
            self._journal.refuse(
                (file.root, file.path, signature, reason)
                for file, signature, reason in batch.refused
            )
            self.tally.refused += len(ids)


def _encoded(encoder: Encoder, pixels: Mapping[str, Pixels]) -> dict[str, Embeddings]:
    """The vector of every content; zeros for one that the encoder fails on unexpectedly."""
    if not pixels:
        return {}
    try:
        return dict(zip(pixels, encoder.encode(np.stack(list(pixels.values()))), strict=True))
    except LookalikeError:
        raise
    except Exception:  # noqa: BLE001 - what fails is found one by one
        _log.exception("encoding %d images failed", len(pixels))
        if len(pixels) == 1:
            return dict.fromkeys(pixels, np.zeros(EMBEDDING_SIZE, np.float32))
        alone = [_encoded(encoder, {sha256: one}) for sha256, one in pixels.items()]
        return {sha256: row for each in alone for sha256, row in each.items()}


def _tell_nobody(_finished: int) -> None:
    pass
