"""`indexer scan`: bring roots up to date once, and stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from indexer.indexing import Indexing
from indexer.progress import ProgressTracker
from indexer.scan import Reconciled
from indexer.status_reporter import StatusReporter
from shared.errors import StoreMissing
from shared.heartbeat import beat
from shared.models import Pair
from shared.types import Progress

PATIENCE_SECONDS = 30.0
"""How long a scan waits for files that go on changing before it leaves them to the next one."""


@dataclass(slots=True)
class Scanned:
    """What a scan came to. `unfinished`: files still being written when patience ended."""

    deleted: int = 0
    suspended: int = 0
    unfinished: int = 0
    problems: list[str] = field(default_factory=list)
    activated: Pair | None = None
    stopped: bool = False


def scan_once(
    indexing: Indexing, roots: Sequence[str], progress: Progress, stop: Callable[[], bool]
) -> Scanned:
    """Index what the roots (by id) hold until nothing is owed, or `stop` says so.

    Raises `StoreError`, `JournalError`, `DiskFull`; what was done until then stays done.
    """
    result, status = Scanned(), _Status(indexing)
    deadline = None
    result.activated = _relabel(indexing, progress, stop)
    while not stop():
        looks = _look(indexing, roots, result)
        status.report()
        _work_on(indexing, progress, status, stop)
        again = any(look.held or look.overflow for look in looks)
        if indexing.backlog and deadline is None:
            deadline = time.monotonic() + PATIENCE_SECONDS
        if not again and (not indexing.backlog or time.monotonic() > (deadline or 0)):
            break
        time.sleep(indexing.settling.next_seconds() or 0)
        indexing.settle()
    result.unfinished = indexing.backlog
    result.stopped = stop()
    if not result.stopped:
        result.activated = indexing.activate_next() or result.activated
        indexing.tidy()
    return result


def _relabel(indexing: Indexing, progress: Progress, stop: Callable[[], bool]) -> Pair | None:
    points = indexing.role.to_relabel
    if not points:
        return None
    with progress.stage("relabelling", points) as stage:
        return indexing.relabel(stop, stage.advance)


def _work_on(
    indexing: Indexing, progress: Progress, status: _Status, stop: Callable[[], bool]
) -> None:
    """Do what is owed, with the models of another leader's making if they change meanwhile."""
    while True:
        try:
            _work(indexing, progress, status, stop)
        except StoreMissing:
            if not indexing.targets.are_stale:
                raise
        if not indexing.targets.are_stale:
            return
        indexing.open_targets()
        _relabel(indexing, progress, stop)


def _look(indexing: Indexing, roots: Sequence[str], result: Scanned) -> list[Reconciled]:
    known = {root.id: root for root in indexing.home.roots.all()}
    looks = [indexing.reconcile(known[root]) for root in roots]
    result.deleted += sum(look.deleted for look in looks)
    result.suspended = sum(look.suspended for look in looks)
    result.problems = [look.problem for look in looks if look.problem]
    return looks


def _work(
    indexing: Indexing, progress: Progress, status: _Status, stop: Callable[[], bool]
) -> None:
    owed = indexing.journal.counts()["owed"]
    if owed:
        with progress.stage("indexing", owed) as stage:

            def advance(files: int) -> None:
                stage.advance(files)
                status.report()

            indexing.work(stop, advance)


class _Status:
    """Tells queries and `indexer status` how far the scan is, at most once a second."""

    _EVERY_SECONDS = 1.0

    def __init__(self, indexing: Indexing) -> None:
        self._indexing = indexing
        self._batch = ProgressTracker()
        self._reporter = StatusReporter(indexing.settings.run, indexing.journal)
        self._reported_at = -self._EVERY_SECONDS

    def report(self) -> None:
        now = time.monotonic()
        if now < self._reported_at + self._EVERY_SECONDS:
            return
        self._reported_at = now
        beat(self._indexing.settings.run)
        tally, pending = self._indexing.tally, self._indexing.backlog
        found = self._batch.update(tally.settled, pending)
        state = "indexing" if found is None else f"indexing: {found}"
        self._reporter.report(
            state, pending=pending, progress=found, encoded=tally.encoded, reused=tally.reused
        )
