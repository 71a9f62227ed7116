"""`StatusReporter`: tells `indexer status`, queries and running services what the indexer does."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from indexer.journal import Journal, State
from shared.daemon_report import DaemonReport, write_report
from shared.errors import DiskFull
from shared.work_progress import WorkProgress


class StatusReporter:
    """Writes a state, with counts of files, to the journal and to the report of the run folder.

    What was written already is not written again.
    """

    def __init__(self, run: Path, journal: Journal) -> None:
        self._run, self._journal = run, journal
        self._counts: dict[State, int] | None = None
        self._pending = 0
        self._written: tuple[str, int, int] | None = None
        self._reported: tuple[str, int, int, int, WorkProgress | None] | None = None

    def report(
        self,
        state: str,
        *,
        pending: int | None = None,
        progress: WorkProgress | None = None,
        encoded: int = 0,
        reused: int = 0,
    ) -> bool:
        """Write the state if it is news; whether it was. A full disk loses it: it is tried again.

        `pending`: files without an outcome; without it the counts stay as they were, which costs
        nothing. `encoded` and `reused`: as in `indexer.pipeline.Tally`. Raises `JournalError`.
        """
        if pending is not None or self._counts is None:
            self._count(pending or 0)
        news = self._report(state, progress)
        if (state, encoded, reused) != self._written:
            with contextlib.suppress(DiskFull):  # then `indexer status` sees that by itself
                self._journal.say(os.getpid(), state, encoded, reused)
                self._written = state, encoded, reused
                news = True
        return news

    def _count(self, pending: int) -> None:
        self._pending = pending
        with contextlib.suppress(DiskFull):
            self._counts = self._journal.counts()

    def _report(self, state: str, progress: WorkProgress | None) -> bool:
        counts = self._counts or {}
        indexed, refused = counts.get("indexed", 0), counts.get("refused", 0)
        now = state, indexed, self._pending, refused, progress
        if now == self._reported:
            return False
        at = datetime.now(UTC).isoformat(timespec="seconds")
        report = DaemonReport(os.getpid(), state, indexed, self._pending, refused, at, progress)
        written = write_report(self._run, report)
        self._reported = now if written else None
        return written
