"""What the journal knows of partitions: which part of a root it holds, and what changes hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.database import Database
from indexer.partition import WHOLE
from shared.errors import JournalError
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Adopted:
    """A point that is in the store already and becomes this journal's to keep true."""

    root: str
    path: bytes
    sha256: str
    cluster: str
    bytes: int


class Parts:
    """The `parts` table. Raises `JournalError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, collection: str) -> dict[str, str]:
        """By root id, the part of it whose points of a collection the journal knows."""
        return dict(
            self._database.all("SELECT root, part FROM parts WHERE collection = ?", (collection,))
        )

    def settle(self, collection: str, roots: Iterable[str], part: str) -> None:
        """From now on the journal knows this part of these roots."""
        self._database.write(
            "INSERT OR REPLACE INTO parts (collection, root, part) VALUES (?, ?, ?)",
            [(collection, root, part) for root in roots],
        )

    def adopt(self, collection: str, points: Iterable[Adopted]) -> int:
        """Remember points that the journal does not know, and their files as if they had changed,
        so that the next listing reads them again or finds them gone; how many."""
        taken = 0
        with self._database.transaction():
            for point in points:
                taken += self._database.execute(
                    "INSERT OR IGNORE INTO points (collection, root, path, sha256, cluster) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (collection, point.root, point.path, point.sha256, point.cluster),
                )
                self._database.execute(
                    # No file has a negative inode. The size is true: a copy is found by it.
                    "INSERT INTO files (root, path, state, sha256, size, mtime_ns, ctime_ns, "
                    "inode, device) VALUES (?, ?, 'indexed', ?, ?, -1, -1, -1, -1) ON CONFLICT "
                    "(root, path) DO UPDATE SET state = 'indexed', sha256 = excluded.sha256, "
                    "ctime_ns = -1, reason = NULL WHERE state = 'refused'",
                    (point.root, point.path, point.sha256, point.bytes),
                )
        return taken

    def remembered(self) -> str | None:
        """The part that this home was last indexed for, if there is no doubt about it."""
        rows = self._database.all("SELECT DISTINCT part FROM parts LIMIT 2")
        return str(rows[0][0]) if len(rows) == 1 else None


def with_remembered_part(settings: Settings) -> Settings:
    """The settings of a home with the part that it was last indexed for, where none is given: for
    commands that change nothing about it. A journal that cannot be read remembers nothing."""
    if settings.partition is not None or not settings.qdrant_urls:
        return settings
    part = _remembered(settings.journal)
    return settings if part in (None, str(WHOLE)) else replace(settings, partition=part)


def _remembered(journal: Path) -> str | None:
    if not journal.exists():
        return None
    try:
        database = Database(journal)
        try:
            return Parts(database).remembered()
        finally:
            database.close()
    except JournalError:
        return None
