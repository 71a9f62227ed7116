"""SQLite memory of what each path owes, was, or why it was refused.

The order that makes a crash harmless: a path is *owed* here before its point is written, and
*indexed* here only after the store has acknowledged it. A point is deleted from the store before
its rows are deleted here. Whatever happens in between is done again; twice is harmless.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from indexer.arrivals import Arrived, Spread, add_arrived, arrived_under, begin_arrivals
from indexer.database import Database, Stored, exact, number
from shared.reading import Signature

State = Literal["owed", "unsettled", "waiting", "indexed", "refused"]
"""owed: read it. unsettled: look at the disk again first. waiting: it could not be read, try again
later; its point, if it has one, stays. The other two are outcomes."""


MAX_CANDIDATES = 16
"""Most known contents that a file of their size is compared with before it is decoded."""


@dataclass(frozen=True, slots=True)
class File:
    """One remembered path and the signature that its state speaks about."""

    root: str
    path: bytes
    state: State
    signature: Signature
    sha256: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Indexed:
    """A point that the store has acknowledged: content and cluster label of one path."""

    root: str
    path: bytes
    sha256: str
    cluster: str


class Journal:
    """Files and points of one home. Every method is one transaction; raises `JournalError`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: tuple[int, dict[State, int]] | None = None

    # files

    def files(self, root: str) -> Iterator[File]:
        """Every remembered file of a root, in the order of the paths."""
        cursor = self._database.query(
            f"SELECT {_FILE} FROM files WHERE root = ? ORDER BY path", (root,)
        )
        return (_file(row) for row in cursor)

    def file(self, root: str, path: bytes) -> File | None:
        """One remembered file."""
        rows = self._database.all(
            f"SELECT {_FILE} FROM files WHERE root = ? AND path = ?", (root, path)
        )
        return _file(rows[0]) if rows else None

    def owe(self, files: Iterable[tuple[str, bytes, Signature]], state: State = "owed") -> None:
        """Remember that these paths must be read; keeps the last known hash."""
        self._database.write(
            "INSERT INTO files (root, path, state, size, mtime_ns, ctime_ns, inode, device) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root, path) DO UPDATE SET "
            "state = excluded.state, size = excluded.size, mtime_ns = excluded.mtime_ns, "
            "ctime_ns = excluded.ctime_ns, inode = excluded.inode, device = excluded.device, "
            "reason = NULL",
            [(root, path, state, *_signature(signature)) for root, path, signature in files],
        )

    def owe_refused(self) -> None:
        """Every refused file must be read again."""
        self._database.write(
            "UPDATE files SET state = 'owed', reason = NULL WHERE state = ?", [("refused",)]
        )

    def unsettle(self, root: str, path: bytes) -> None:
        """Take a path out of the owed until the disk has been looked at again."""
        self._database.write(
            "UPDATE files SET state = 'unsettled' WHERE root = ? AND path = ?", [(root, path)]
        )

    def wait(self, root: str, path: bytes, reason: str) -> None:
        """Note that a file could not be read now, and why; its content and point stay known."""
        self._database.write(
            "UPDATE files SET state = 'waiting', reason = ? WHERE root = ? AND path = ?",
            [(reason, root, path)],
        )

    def suspend(self, paths: Iterable[tuple[str, bytes]]) -> None:
        """Nothing is owed for files that are gone while their points stay, until they are back."""
        self._database.write(
            # Their change time is forgotten, so that they are read again even if unchanged.
            "UPDATE files SET state = 'indexed', ctime_ns = -1 WHERE root = ? AND path = ? "
            "AND state IN ('owed', 'unsettled', 'waiting')",
            paths,
        )

    def owed_after(self, root: str, path: bytes, limit: int) -> list[File]:
        """The next owed files after (root, path), in that order."""
        rows = self._database.all(
            f"SELECT {_FILE} FROM files WHERE state = 'owed' AND (root, path) > (?, ?) "
            "ORDER BY root, path LIMIT ?",
            (root, path, limit),
        )
        return [_file(row) for row in rows]

    def has_owed(self) -> bool:
        """Whether anything is owed."""
        return bool(self.owed_after("", b"", 1))

    def owed_traces(self) -> set[tuple[int, int, int, int]]:
        """(device, inode, size, mtime_ns) of owed files: a vanished file may be one of them."""
        rows = self._database.all(
            "SELECT device, inode, size, mtime_ns FROM files WHERE state = 'owed'"
        )
        return {
            (number(device), number(inode), number(size), number(mtime_ns))
            for device, inode, size, mtime_ns in rows
        }

    def known_contents(self, sizes: Collection[int]) -> dict[int, list[str]]:
        """By size in bytes, hashes of indexed files: what a new file of that size may be a copy of.

        Not all of them where many files have the same size.
        """
        marks = ",".join("?" * len(sizes))
        found: dict[int, list[str]] = {}
        rows = self._database.all(
            f"SELECT DISTINCT size, sha256 FROM files WHERE size IN ({marks}) "
            "AND sha256 IS NOT NULL LIMIT ?",
            (*sizes, MAX_CANDIDATES * len(sizes)),
        )
        for size, sha256 in rows:
            found.setdefault(size, []).append(sha256)
        return {size: hashes[:MAX_CANDIDATES] for size, hashes in found.items()}

    def refuse(self, refused: Iterable[tuple[str, bytes, Signature, str]]) -> None:
        """Mark paths as refused with a reason; their points must be gone from the store by now."""
        rows = [(root, path, *_signature(sign), reason) for root, path, sign, reason in refused]
        with self._database.transaction():
            self._database.execute_many(
                "INSERT OR REPLACE INTO files (root, path, size, mtime_ns, ctime_ns, inode, "
                "device, state, reason) VALUES (?, ?, ?, ?, ?, ?, ?, 'refused', ?)",
                rows,
            )
            self._database.execute_many(
                "DELETE FROM points WHERE root = ? AND path = ?", [row[:2] for row in rows]
            )

    def done(
        self,
        collection: str,
        done: Iterable[tuple[Indexed, Signature]],
        *,
        settled: bool = True,
        arrived: Arrived | None = None,
    ) -> None:
        """Mark points as acknowledged by the store, and (if `settled`) their files as indexed.

        `arrived`: those of them that are new to the collection, added to what came before.
        """
        rows = list(done)
        with self._database.transaction():
            self._database.execute_many(
                "INSERT OR REPLACE INTO points (collection, root, path, sha256, cluster) "
                "VALUES (?, ?, ?, ?, ?)",
                [(collection, p.root, p.path, p.sha256, p.cluster) for p, _ in rows],
            )
            if settled:
                self._database.execute_many(
                    "INSERT OR REPLACE INTO files (root, path, state, sha256, size, mtime_ns, "
                    "ctime_ns, inode, device) VALUES (?, ?, 'indexed', ?, ?, ?, ?, ?, ?)",
                    [(p.root, p.path, p.sha256, *_signature(sign)) for p, sign in rows],
                )

            if arrived is not None:
                add_arrived(self._database, collection, arrived)

    def begin_generation(self, collection: str, generation: str, fitted: Spread | None) -> None:
        """A clustering of stored vectors is about to answer: those it was fitted on count as having
        arrived under it. Arrivals of other generations are forgotten."""
        with self._database.transaction():
            begin_arrivals(self._database, collection, generation, fitted)

    def arrivals(self, collection: str, generation: str) -> Spread | None:
        """Every picture that arrived under a generation, among them those it was fitted on; None if
        none did."""
        return arrived_under(self._database, collection, generation)

    def remove(self, paths: Iterable[tuple[str, bytes]]) -> None:
        """Drop files and their points; the store must have deleted the points by now."""
        rows = list(paths)
        with self._database.transaction():
            for table in ("points", "files"):
                self._database.execute_many(
                    f"DELETE FROM {table} WHERE root = ? AND path = ?",
                    rows,
                )

    # points

    def points(self, collection: str, root: str | None = None) -> Iterator[Indexed]:
        """Every acknowledged point of a collection, or of one root in it."""
        where, values = (
            ("", (collection,)) if root is None else (" AND root = ?", (collection, root))
        )
        cursor = self._database.query(
            f"SELECT root, path, sha256, cluster FROM points WHERE collection = ?{where}",
            values,
        )
        return (Indexed(*row) for row in cursor)

    def points_after(
        self, collection: str, root: str, path: bytes, limit: int, *, within: bool = False
    ) -> list[Indexed]:
        """The next acknowledged points after (root, path), in that order; `within`: of that root
        alone."""
        only = "AND root = ? " if within else ""
        rows = self._database.all(
            "SELECT root, path, sha256, cluster FROM points WHERE collection = ? "
            f"AND (root, path) > (?, ?) {only}ORDER BY root, path LIMIT ?",
            (collection, root, path, *((root,) if within else ()), limit),
        )
        return [Indexed(*row) for row in rows]

    def holders(self, collection: str, contents: Collection[str]) -> dict[str, Indexed]:
        """For each content (by hash) that has an acknowledged point: one such point."""
        marks = ",".join("?" * len(contents))
        rows = self._database.all(
            # Without statistics SQLite would rather walk through the whole collection.
            "SELECT root, path, sha256, cluster FROM points INDEXED BY points_content "
            f"WHERE collection = ? AND sha256 IN ({marks})",
            (collection, *contents),
        )
        return {row[2]: Indexed(*row) for row in rows}

    def lose(self, collection: str, paths: Iterable[tuple[str, bytes]]) -> None:
        """The store turned out not to have these points: their files are owed again."""
        rows = list(paths)
        with self._database.transaction():
            self._database.execute_many(
                "DELETE FROM points WHERE collection = ? AND root = ? AND path = ?",
                [(collection, *row) for row in rows],
            )
            self._database.execute_many(
                "UPDATE files SET state = 'owed' WHERE root = ? AND path = ? AND state = 'indexed'",
                rows,
            )

    def owe_lacking(self, collection: str) -> int:
        """Owe every indexed file that has no point of its content in the collection; how many."""
        with self._database.transaction():
            return self._database.execute(
                "UPDATE files SET state = 'owed' WHERE state = 'indexed' AND NOT EXISTS (SELECT 1 "
                "FROM points WHERE points.collection = ? AND points.root = files.root "
                "AND points.path = files.path AND points.sha256 = files.sha256)",
                (collection,),
            )

    def lacking(self, old: str, new: str) -> int:
        """How many points of the old collection the new one lacks, or has with other content."""
        rows = self._database.all(
            "SELECT count(*) FROM points AS o WHERE o.collection = ? AND NOT EXISTS (SELECT 1 FROM "
            "points AS n WHERE n.collection = ? AND n.root = o.root AND n.path = o.path "
            "AND n.sha256 = o.sha256)",
            (old, new),
        )
        return int(rows[0][0])

    def set_labels(self, collection: str, labels: Iterable[tuple[str, str, bytes]]) -> None:
        """New cluster labels, as (label, root, path)."""
        self._database.write(
            "UPDATE points SET cluster = ? WHERE collection = ? AND root = ? AND path = ?",
            [(label, collection, root, path) for label, root, path in labels],
        )

    def drop_collection(self, collection: str) -> None:
        """Forget the acknowledged points of a collection that no longer exists."""
        with self._database.transaction():
            for table in ("points", "arrivals", "parts"):
                self._database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))

    def collections(self) -> list[str]:
        """Collections with acknowledged points."""
        return [row[0] for row in self._database.all("SELECT DISTINCT collection FROM points")]

    def count_points(self, collection: str) -> int:
        """Acknowledged points of a collection."""
        rows = self._database.all("SELECT count(*) FROM points WHERE collection = ?", (collection,))
        return int(rows[0][0])

    # reports

    def cluster_sizes(self, collection: str) -> dict[str, int]:
        """Acknowledged points by cluster label."""
        return dict(
            self._database.all(
                "SELECT cluster, count(*) FROM points WHERE collection = ? GROUP BY cluster",
                (collection,),
            )
        )

    def counts(self) -> dict[State, int]:
        """Files by state. Counted anew only after this process changed something."""
        if self._counted is None or self._counted[0] != self._database.changes:
            counts: dict[State, int] = dict.fromkeys(get_args(State), 0)
            counts |= dict(self._database.all("SELECT state, count(*) FROM files GROUP BY state"))
            self._counted = self._database.changes, counts
        return dict(self._counted[1])

    def counts_by_root(self) -> dict[str, dict[State, int]]:
        """Files by root and state."""
        found: dict[str, dict[State, int]] = {}
        rows = self._database.all("SELECT root, state, count(*) FROM files GROUP BY root, state")
        for root, state, count in rows:
            found.setdefault(root, {})[state] = count
        return found

    def refused(self) -> list[File]:
        """Every refused file with its reason."""
        return self._in_state("refused")

    def waiting(self) -> list[File]:
        """Every file that could not be read, with the reason."""
        return self._in_state("waiting")

    def _in_state(self, state: State) -> list[File]:
        rows = self._database.all(f"SELECT {_FILE} FROM files WHERE state = ?", (state,))
        return [_file(row) for row in rows]

    def say(self, pid: int, state: str, encoded: int, reused: int) -> None:
        """What the running process is doing, for `indexer status`."""
        self._database.write(
            "INSERT OR REPLACE INTO daemon VALUES (1, ?, ?, ?, ?)", [(pid, state, encoded, reused)]
        )

    def said(self) -> tuple[int, str, int, int] | None:
        """(pid, state, encoded, reused) of the process that spoke last; it may be gone."""
        rows = self._database.all("SELECT pid, state, encoded, reused FROM daemon")
        return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None


_FILE = "root, path, state, size, mtime_ns, ctime_ns, inode, device, sha256, reason"


def _file(row: tuple[Any, ...]) -> File:
    return File(row[0], row[1], row[2], Signature(*map(number, row[3:8])), row[8], row[9])


def _signature(signature: Signature) -> tuple[Stored, Stored, Stored, Stored, Stored]:
    return (
        exact(signature.size),
        exact(signature.mtime_ns),
        exact(signature.ctime_ns),
        exact(signature.inode),
        exact(signature.device),
    )
