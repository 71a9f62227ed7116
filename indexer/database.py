"""The journal's SQLite file: schema, transactions, and errors as ours."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.errors import DiskFull, JournalError

FORMAT_VERSION = 4
"""1 did not know the `generation` of a root, 2 did not count arrivals, 3 knew no partitions."""

_SHARED_MEMORY_BYTES = 2**16
"""More than SQLite asks for at a time when it enlarges the memory that it shares."""

_ARRIVALS = """
CREATE TABLE IF NOT EXISTS arrivals (        -- pictures that came under a generation of clusters
  collection TEXT NOT NULL, generation TEXT NOT NULL,
  images INTEGER NOT NULL,
  distance REAL NOT NULL,                    -- sum over them, from the nearest centroid
  PRIMARY KEY (collection, generation)
) WITHOUT ROWID;
"""

_PARTS = """
CREATE TABLE IF NOT EXISTS parts (           -- the part of a root whose points are known here
  collection TEXT NOT NULL, root TEXT NOT NULL,
  part TEXT NOT NULL,                        -- as in the setting: 2/3
  PRIMARY KEY (collection, root)
) WITHOUT ROWID;
"""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS roots (
  id TEXT PRIMARY KEY,
  folder BLOB NOT NULL,
  device INTEGER, inode INTEGER,           -- of the last listing that was trusted; NULL before it
  generation INTEGER,                      -- of that inode, where the file system counts
  excludes TEXT NOT NULL DEFAULT '[]',
  suspended INTEGER NOT NULL DEFAULT 0,    -- files whose deletion waits to be accepted
  problem TEXT,                            -- why the last listing was not complete
  accept INTEGER NOT NULL DEFAULT 0,       -- the user accepted the suspended deletions
  forgotten INTEGER NOT NULL DEFAULT 0     -- the user wants this root removed
);
CREATE TABLE IF NOT EXISTS files (
  root TEXT NOT NULL, path BLOB NOT NULL,
  state TEXT NOT NULL,
  size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, device INTEGER,
  sha256 TEXT, reason TEXT,
  PRIMARY KEY (root, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_owed ON files (root, path) WHERE state = 'owed';
CREATE INDEX IF NOT EXISTS files_size ON files (size) WHERE sha256 IS NOT NULL;
CREATE TABLE IF NOT EXISTS points (          -- what the store has acknowledged
  collection TEXT NOT NULL, root TEXT NOT NULL, path BLOB NOT NULL,
  sha256 TEXT NOT NULL, cluster TEXT NOT NULL,
  PRIMARY KEY (collection, root, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_content ON points (collection, sha256);
CREATE TABLE IF NOT EXISTS daemon (
  one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER, state TEXT, encoded INTEGER, reused INTEGER
);
{_ARRIVALS}
{_PARTS}
"""


_PATIENCE_SECONDS = 10.0

Stored = int | bytes
"""A whole number as SQLite keeps it."""

_INT64 = range(-(2**63), 2**63)


def exact(value: int) -> Stored:
    """Return a number in a form that SQLite keeps exactly.

    Inode numbers of some file systems and file times after 2262 need more than its 64 signed bits:
    they become their decimal digits, as bytes, which no column turns into a float.
    """
    return value if value in _INT64 else str(value).encode()


def number(value: Stored) -> int:
    """Return the number that `exact` took."""
    return int(value)


def _patiently(prepare: Callable[[], None]) -> None:
    """Try again while another process makes the same file: SQLite's own waiting does not reach the
    moment in which a new file is switched to its log."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            prepare()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


class Database:
    """One connection, for one thread. Raises `JournalError`, or `DiskFull` for a full disk.

    One process writes (it holds the indexer's lock); others read, or ask for something by way of
    the `roots` table, beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            # isolation_level=None: transactions are written out below, none opens by itself.
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
            _patiently(self._prepare)

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        # A commit lost with the power only makes work owed again.
        self._db.execute("PRAGMA synchronous=NORMAL")
        version = self._version()
        if version > FORMAT_VERSION:
            raise JournalError(
                f"journal {self._path} has format {version}, this program reads {FORMAT_VERSION}: "
                "use the version that made it"
            )
        if version == 0:
            script = f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={FORMAT_VERSION}; COMMIT;"
            self._db.executescript(script)
        elif version < FORMAT_VERSION:
            with self.transaction():
                if self._version() == version:  # nobody else did it meanwhile
                    if version < 2:
                        self._db.execute("ALTER TABLE roots ADD COLUMN generation INTEGER")
                    self._db.execute(_ARRIVALS)
                    self._db.execute(_PARTS)
                    self._db.execute(f"PRAGMA user_version={FORMAT_VERSION}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def is_sound(self) -> bool:
        """Whether SQLite finds nothing damaged; reads the whole file."""
        try:
            return self.all("PRAGMA quick_check") == [("ok",)]
        except JournalError:
            return False

    @property
    def changes(self) -> int:
        """Rows changed by this connection so far: the same number means nothing changed."""
        return self._db.total_changes

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run one statement inside a `transaction`; the number of rows it changed."""
        return self._db.execute(sql, values).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for every row, inside a `transaction`."""
        self._db.executemany(sql, rows)

    def query(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """The answer, row by row; do not write before it is read to its end."""
        with self._errors():
            return self._db.execute(sql, values)

    def all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The whole answer."""
        with self._errors():
            return self._db.execute(sql, values).fetchall()

    def write(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for every row as one transaction."""
        with self.transaction():
            self._db.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is executed inside, or nothing."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")  # on a full disk it is this that fails
            except BaseException:
                if self._db.in_transaction:  # SQLite may have rolled back by itself
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if _is_full(error, self._path.parent):
                raise DiskFull(
                    f"journal {self._path}: {error}: make room on its disk, nothing was lost"
                ) from error
            raise JournalError(f"journal {self._path}: {error}") from error


def _is_full(error: Exception, folder: Path) -> bool:
    """Whether a full disk is behind it; for its shared memory SQLite tells of an I/O error only."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC:
        return True
    return (
        code & 0xFF == sqlite3.SQLITE_IOERR
        and shutil.disk_usage(folder).free < _SHARED_MEMORY_BYTES
    )
