"""The folders that are remembered, and what the user asked about them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from indexer.database import Database, exact, number
from indexer.identity import FolderIdentity
from shared.errors import RootError


@dataclass(frozen=True, slots=True)
class Root:
    """A remembered folder. `identity` is that of the last trusted listing."""

    id: str
    folder: bytes
    identity: FolderIdentity | None
    excludes: tuple[str, ...]
    suspended: int
    problem: str | None
    accept: bool
    forgotten: bool


class Roots:
    """The `roots` table. Raises `JournalError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Root]:
        """Every remembered root, by folder."""
        rows = self._database.all(
            "SELECT id, folder, device, inode, generation, excludes, suspended, problem, accept, "
            "forgotten FROM roots ORDER BY folder"
        )
        return [
            Root(
                id=row[0],
                folder=row[1],
                identity=None
                if row[2] is None
                else FolderIdentity(number(row[2]), number(row[3]), row[4]),
                excludes=tuple(json.loads(row[5])),
                suspended=row[6],
                problem=row[7],
                accept=bool(row[8]),
                forgotten=bool(row[9]),
            )
            for row in rows
        ]

    def remember(self, root: str, folder: bytes, excludes: Sequence[str]) -> None:
        """Add a root or update its folder and excludes."""
        self._database.write(
            "INSERT INTO roots (id, folder, excludes) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET folder = excluded.folder, excludes = excluded.excludes, forgotten = 0",
            [(root, folder, json.dumps(list(excludes)))],
        )

    def trust(self, root: Root, identity: FolderIdentity) -> None:
        """Deletions below the root may follow listings of this very folder."""
        if root.accept or root.identity != identity:
            self._database.write(
                "UPDATE roots SET device = ?, inode = ?, generation = ?, accept = 0 WHERE id = ?",
                [(exact(identity.device), exact(identity.inode), identity.generation, root.id)],
            )

    def distrust(self, root: str) -> None:
        """The folder was deleted: whatever stands there next is another, even with its inode."""
        self._database.write("UPDATE roots SET device = -1, inode = -1 WHERE id = ?", [(root,)])

    def note(self, root: Root, suspended: int, problem: str | None) -> None:
        """What the last listing had to leave undone."""
        if (suspended, problem) != (root.suspended, root.problem):
            self._database.write(
                "UPDATE roots SET suspended = ?, problem = ? WHERE id = ?",
                [(suspended, problem, root.id)],
            )

    def request(self, root: str, what: Literal["accept", "forgotten"]) -> None:
        """Ask the process that holds the indexer's lock for something, by way of the journal."""
        self._database.write(f"UPDATE roots SET {what} = 1 WHERE id = ?", [(root,)])

    def drop(self, root: str) -> None:
        """Forget a root, its files and its acknowledged points."""
        with self._database.transaction():
            for table in ("points", "files", "parts"):
                self._database.execute(f"DELETE FROM {table} WHERE root = ?", (root,))
            self._database.execute("DELETE FROM roots WHERE id = ?", (root,))


def find_root(roots: Sequence[Root], name: str) -> Root:
    """The root of that id or folder. Raises `RootError` listing what there is."""
    folder = os.fsencode(os.path.realpath(name))
    for root in roots:
        if root.id == name or root.folder == folder:
            return root
    known = ", ".join(repr(root.id) for root in roots) or "none"
    raise RootError(f"{name!r} is not remembered: remembered are {known}")
