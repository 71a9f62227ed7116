"""`Home`: what a process needs before it may write to a home."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.database import Database
from indexer.journal import Journal
from indexer.listing import Chooser
from indexer.partition import WHOLE, Partition, partition_of
from indexer.parts import Parts
from indexer.roots import Root, Roots
from shared.errors import RootError
from shared.lock import HomeLock
from shared.models import Models
from shared.reading import is_absent
from shared.roots import root_id, write_roots
from shared.settings import Settings


class Home:
    """A home that this process may write: its lock, journal and remembered roots."""

    def __init__(self, settings: Settings, command: str) -> None:
        """Raises `AlreadyRunning`, `JournalError`, `SettingsError` for the partition, or
        `LookalikeError` for a read-only home."""
        self.settings = settings
        self.partition = partition_of(settings)
        with contextlib.ExitStack() as stack:
            stack.enter_context(HomeLock(settings.run, command))
            database = Database(settings.journal)
            stack.callback(database.close)
            self.journal, self.roots = Journal(database), Roots(database)
            self.parts = Parts(database)
            self.models = Models(settings.models)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Let another process have the home."""
        self._stack.close()

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def remember(
        self,
        folders: Sequence[Path],
        *,
        excludes: Sequence[str] | None,
        name: str | None = None,
        may_be_away: bool = False,
    ) -> list[Root]:
        """Remember folders as roots and return those. Raises `RootError` for a bad one.

        `excludes` None keeps what was remembered. A root inside a root is refused. `may_be_away`: a
        folder that is remembered already may be missing, such as a disk that is not plugged in.
        """
        known = {root.id: root for root in self.roots.all()}
        chosen = []
        for folder in folders:
            path = Path(os.path.realpath(folder))
            named = {Path(os.fsdecode(root.folder)): key for key, root in known.items()}
            if may_be_away and path in named and not path.exists():
                chosen.append(named[path])
                continue
            if not path.is_dir():
                what = "is not a folder" if path.exists() else "does not exist"
                raise RootError(f"{str(folder)!r} {what}: name a folder of pictures")
            key = root_id(path, name or named.get(path))
            _refuse_overlap(path, key, known.values(), self.settings.home)
            kept = known[key].excludes if key in known else ()
            self.roots.remember(
                key, os.fsencode(path), kept if excludes is None else list(excludes)
            )
            known = {root.id: root for root in self.roots.all()}
            chosen.append(key)
        self.publish_roots()
        return [known[key] for key in chosen]

    def publish_roots(self) -> None:
        """Write `roots.json` for those who show pictures."""
        folders = {root.id: Path(os.fsdecode(root.folder)) for root in self.roots.all()}
        write_roots(self.settings.home, folders)

    def chooser(self, root: Root) -> Chooser:
        """Which names below the root count."""
        return choose(root, self.settings.home, self.partition)


def choose(root: Root, home: Path, partition: Partition) -> Chooser:
    """Which names below a root count for the indexer of a home and a part."""
    part = None if partition == WHOLE else functools.partial(partition.has, root.id)
    return Chooser(root.excludes, home, part)


def _is_another(path: Path, known: Path) -> bool:
    """Whether a remembered folder is still there, and not the same one under another path."""
    try:
        return not os.path.samestat(os.stat(path), os.stat(known))
    except OSError as error:
        return not is_absent(error)


def _refuse_overlap(path: Path, key: str, roots: Iterable[Root], home: Path) -> None:
    """Raise `RootError` for a folder whose images would belong to two roots or to the home, and for
    a root name that would stand for two folders."""
    if path.is_relative_to(os.path.realpath(home)):
        raise RootError(f"{str(path)!r} lies in the home {str(home)!r}: name another folder")
    for root in roots:
        other = Path(os.fsdecode(root.folder))
        if root.id == key and path != other and _is_another(path, other):
            raise RootError(
                f"root name {key!r} stands for {str(other)!r}, which is still there: give "
                f"{str(path)!r} another --root-name, or `indexer forget` the first"
            )
        if root.id != key and path == other:
            raise RootError(
                f"{str(path)!r} is remembered as {root.id!r}: use --root-name {root.id}"
            )
        if root.id != key and (path.is_relative_to(other) or other.is_relative_to(path)):
            inside = "lies in" if path.is_relative_to(other) else "holds"
            raise RootError(
                f"{str(path)!r} {inside} {str(other)!r}, which is watched already: "
                f"`indexer forget` that one first"
            )
