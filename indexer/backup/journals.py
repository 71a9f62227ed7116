"""The journal's copy: of one moment, though an indexer goes on writing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from shared.errors import JournalError

PATIENCE_SECONDS = 10


def copy_journal(source: Path, target: Path) -> None:
    """Copy a journal through SQLite's own backup. Raises `JournalError`."""
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_SECONDS)
            ) as journal,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            journal.backup(copy)
    except sqlite3.Error as error:
        raise JournalError(f"journal {source} cannot be copied: {error}") from error
