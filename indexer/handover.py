"""Paths that change hands between indexers of one store, when a partition or a root is new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from indexer.journal import Journal
from indexer.listing import Chooser
from indexer.partition import Partition
from indexer.parts import Adopted, Parts
from shared.points import point_id
from shared.store.protocol import VectorStore
from shared.types import ImageRecord

_BATCH = 1000

_log = logging.getLogger(__name__)


class Handover:
    """Makes a journal know the points of its own part, and no others.

    What is given up leaves the journal alone: its point stays, for whoever has that part now to
    find. What is taken over may have lost its file meanwhile: the next listing tells.
    """

    def __init__(
        self,
        journal: Journal,
        parts: Parts,
        choosers: Mapping[str, Chooser],
        partition: Partition,
        pulse: Callable[[], None],
    ) -> None:
        self._journal, self._parts, self._choosers = journal, parts, choosers
        self._part, self._pulse = str(partition), pulse

    def carry_out(self, collection: str, store: VectorStore) -> None:
        """Give up and take over what is due in one collection. May be stopped at any moment and
        begun again. Raises `StoreError`, `JournalError`."""
        known = self._parts.of(collection)
        due = [root for root in self._choosers if known.get(root) != self._part]
        if not due:
            return
        given_up = sum(self._give_up(root) for root in due)
        taken = self._adopt(collection, store, due)
        self._parts.settle(collection, due, self._part)
        if given_up or taken:
            _log.info(
                "part %s of %s: %d paths given up, %d points taken over",
                self._part,
                collection,
                given_up,
                taken,
            )

    def _give_up(self, root: str) -> int:
        chooser = self._choosers[root]
        others = [
            (root, file.path)
            for file in self._journal.files(root)
            if not chooser.is_ours(file.path)
        ]
        self._journal.remove(others)
        return len(others)

    def _adopt(self, collection: str, store: VectorStore, due: Sequence[str]) -> int:
        taken = 0
        for batch in store.scroll(batch_size=_BATCH):
            self._pulse()
            taken += self._parts.adopt(
                collection,
                [_adopted(one) for one in self._ours((p.record for p in batch), due)],
            )
        return taken

    def _ours(self, records: Iterable[ImageRecord], due: Sequence[str]) -> list[ImageRecord]:
        return [
            record
            for record in records
            if record.root in due
            and self._choosers[record.root].is_ours(record.relative())
            and record.id == point_id(record.root, record.relative())
        ]


def _adopted(record: ImageRecord) -> Adopted:
    label = record.cluster[0] if record.cluster else ""
    return Adopted(record.root, record.relative(), record.sha256, label, record.bytes)
