"""A backup's points into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from indexer.backup.layout import part_names
from indexer.backup.points import unpack
from indexer.backup.reading import BackupFile
from indexer.moving.copying import is_same
from indexer.moving.own import PAGE
from shared.errors import LookalikeError, StoreError
from shared.store.hub import Hub
from shared.store.protocol import VectorStore
from shared.types import Embeddings, ImageRecord, Progress


class Filling:
    """Writes what is not there yet. Cut off, it is begun again without harm."""

    def __init__(
        self, hub: Hub, backup: BackupFile, progress: Progress, stop: Callable[[], bool]
    ) -> None:
        self._hub, self._backup = hub, backup
        self._progress, self._stop = progress, stop

    def run(self, force: bool) -> bool:
        """Fill every collection; False if stopped.

        Unless `force`, raises `LookalikeError` before anything is written if the store has some of
        the points otherwise. Raises `StoreError`.
        """
        collections = self._backup.manifest.collections
        there = set(self._hub.names())
        for name in collections:
            if name in there and not force:
                self._refuse_others(name, self._hub.collection(name))
        with self._progress.stage("writing points", self._backup.manifest.points) as stage:
            for name, counts in collections.items():
                store = self._hub.collection(name, create=True)
                for records, vectors in self._pages(name):
                    _write(store, records, vectors)
                    stage.advance(len(records))
                    if self._stop():
                        return False
                if store.count() < sum(counts):
                    raise StoreError(f"not all points of {name} arrived: begin again")
                store.tidy()
                store.flush()
        return True

    def _refuse_others(self, name: str, store: VectorStore) -> None:
        if not store.count():
            return
        for records, _ in self._pages(name):
            there = store.get([record.id for record in records])
            for record in records:
                found = there.get(record.id)
                if found is not None and not is_same(record, found.record):
                    raise LookalikeError(
                        f"the store has {record.path!r} of encoder {name} otherwise than the "
                        "backup: --force replaces what is there"
                    )

    def _pages(self, name: str) -> Iterator[tuple[list[ImageRecord], Embeddings]]:
        for number, count in enumerate(self._backup.manifest.collections[name]):
            of_records, of_vectors = part_names(name, number)
            with self._backup.reading(of_records):
                records, vectors = unpack(
                    self._backup.read(of_records), self._backup.read(of_vectors), count
                )
            for start in range(0, count, PAGE):
                yield records[start : start + PAGE], vectors[start : start + PAGE]


def _write(store: VectorStore, records: list[ImageRecord], vectors: Embeddings) -> None:
    there = store.get([record.id for record in records])
    rows = [
        row
        for row, record in enumerate(records)
        if record.id not in there or not is_same(record, there[record.id].record)
    ]
    if rows:
        store.upsert([records[row] for row in rows], np.ascontiguousarray(vectors[rows]))
