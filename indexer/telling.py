"""`Teller`: what the daemon says it is doing, to `indexer status` and to running services."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from indexer.journal import Journal, State
from shared.daemon_report import DaemonReport, write_report
from shared.errors import DiskFull


class Teller:
    """Says a state, with counts of files, in the journal and in the report of the run folder.

    What was said already is not written again.
    """

    def __init__(self, run: Path, journal: Journal) -> None:
        self._run, self._journal = run, journal
        self._counts: dict[State, int] | None = None
        self._backlog = 0
        self._said: tuple[str, int, int] | None = None
        self._reported: tuple[str, int, int, int] | None = None

    def tell(
        self, state: str, *, backlog: int | None = None, encoded: int = 0, reused: int = 0
    ) -> bool:
        """Say it if it is news; whether it was. A full disk loses it, and it is tried again.

        `backlog`: files that wait; without it the counts stay those of before, which costs nothing.
        `encoded` and `reused`: as in `indexer.pipeline.Tally`. Raises `JournalError`.
        """
        if backlog is not None or self._counts is None:
            self._count(backlog or 0)
        news = self._report(state)
        if (state, encoded, reused) != self._said:
            with contextlib.suppress(DiskFull):  # then `indexer status` sees that by itself
                self._journal.say(os.getpid(), state, encoded, reused)
                self._said = state, encoded, reused
                news = True
        return news

    def _count(self, backlog: int) -> None:
        self._backlog = backlog
        with contextlib.suppress(DiskFull):
            self._counts = self._journal.counts()

    def _report(self, state: str) -> bool:
        counts = self._counts or {}
        now = state, counts.get("indexed", 0), self._backlog, counts.get("refused", 0)
        if now == self._reported:
            return False
        at = datetime.now(UTC).isoformat(timespec="seconds")
        written = write_report(self._run, DaemonReport(os.getpid(), *now, at))
        self._reported = now if written else None
        return written
