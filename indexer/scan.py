"""Disk against journal: what must be read, and what may be deleted."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from indexer.journal import File, Journal
from indexer.listing import Chooser, Listing, list_root
from indexer.retries import Retries
from indexer.roots import Root, Roots
from indexer.settling import Settling, has_rested
from shared.errors import RootError
from shared.points import point_id
from shared.reading import Signature
from shared.store.protocol import VectorStore

_Trace: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and modification time."""


@dataclass(slots=True)
class Reconciled:
    """What one look at a root came to.

    `held`: deletions that wait until the same file has been indexed under its new name.
    `suspended`: deletions that wait for the user. `overflow`: some new files could not be watched
    for rest, so the root must be looked at again. `retry_seconds`: until the first file that could
    not be read is tried again; None if there is none.
    """

    owed: int = 0
    deleted: int = 0
    held: int = 0
    suspended: int = 0
    problem: str | None = None
    overflow: bool = False
    retry_seconds: float | None = None


@dataclass(slots=True)
class _Gone:
    """Vanished files. `held`: the same file waits under another name. `moved`: it is indexed under
    another name. `never`: they were never indexed, so nothing is lost with them."""

    held: list[File] = field(default_factory=list)
    moved: list[File] = field(default_factory=list)
    lost: list[File] = field(default_factory=list)
    never: list[File] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.held or self.moved or self.lost or self.never)

    def move(self, here: Collection[_Trace]) -> None:
        """What is here under another name is not lost."""
        self.moved += [file for file in self.lost if _trace(file.signature) in here]
        self.lost = [file for file in self.lost if _trace(file.signature) not in here]


class Scanner:
    """Compares roots with the journal and carries out what may be deleted."""

    def __init__(
        self, journal: Journal, roots: Roots, settling: Settling, *, settle_seconds: float
    ) -> None:
        self._journal, self._roots, self._settling = journal, roots, settling
        self._settle = settle_seconds
        self._retries = Retries()

    def reconcile(self, root: Root, chooser: Chooser, stores: Sequence[VectorStore]) -> Reconciled:
        """List a root, owe what is new or changed, delete what is surely gone."""
        try:
            listing = list_root(root.folder, chooser)
        except RootError as error:
            self._roots.note(root, root.suspended, str(error))
            return Reconciled(suspended=root.suspended, problem=str(error))
        files = list(self._journal.files(root.id))
        changed, vanished = _compare(files, listing)
        result = Reconciled(problem=listing.problem())
        changed = self._without_waiting(root, files, changed, result)
        self._owe(root, changed, result)
        # What another indexer has now is not gone, whatever the journal still says.
        gone = self._sorted(
            [one for one in vanished if chooser.is_ours(one.path)], changed, listing
        )
        total = sum(file.sha256 is not None for file in files)
        if not chooser.is_whole and not _are_few(gone.lost, total):
            gone.move(_traces_of_all(root, chooser))
        self._delete(root, listing, gone, total, stores, result)
        self._roots.note(root, result.suspended, result.problem)
        return result

    def _without_waiting(
        self,
        root: Root,
        files: Iterable[File],
        changed: Iterable[tuple[bytes, Signature]],
        result: Reconciled,
    ) -> list[tuple[bytes, Signature]]:
        """Leave out unchanged files that could not be read and are not due to be tried again."""
        waiting = {one.path: one.signature for one in files if one.state == "waiting"}
        self._retries.keep(root.id, waiting)
        due = [
            (path, signature)
            for path, signature in changed
            if waiting.get(path) != signature or self._retries.is_due(root.id, path)
        ]
        result.retry_seconds = self._retries.next_seconds(root.id)
        return due

    def _owe(
        self, root: Root, changed: Iterable[tuple[bytes, Signature]], result: Reconciled
    ) -> None:
        owed = []
        for path, signature in changed:
            if has_rested(signature, self._settle):
                # An event may have come before: it would be owed again once it has its outcome.
                self._settling.forget(root.id, path)
                owed.append((root.id, path, signature))
            elif not self._settling.watch(root.id, path, signature):
                result.overflow = True
        self._journal.owe(owed)
        result.owed = len(owed)

    def _sorted(
        self,
        vanished: Sequence[File],
        changed: Sequence[tuple[bytes, Signature]],
        listing: Listing,
    ) -> _Gone:
        """What became of each of the vanished files."""
        gone = _Gone()
        if not vanished:
            return gone
        arriving = {_trace(signature) for _, signature in changed} | self._journal.owed_traces()
        for file in vanished:
            if file.sha256 is None:
                gone.never.append(file)
            else:
                (gone.held if _trace(file.signature) in arriving else gone.lost).append(file)
        gone.move({_trace(signature) for signature in listing.files.values()})
        return gone

    def _delete(
        self,
        root: Root,
        listing: Listing,
        gone: _Gone,
        total: int,
        stores: Sequence[VectorStore],
        result: Reconciled,
    ) -> None:
        """Carry out the deletions that are believed, and suspend the others."""
        if gone.is_empty:
            self._roots.trust(root, listing.identity)
            return
        known = root.identity is None or root.identity.is_same(listing.identity)
        # What was suspended stays so: new files may not make few of what were too many.
        believed = known and _are_few(gone.lost, total) and not root.suspended
        allowed = root.accept or not gone.lost or believed
        if allowed:
            doomed = gone.never + gone.moved + gone.lost
        else:
            doomed = gone.never + gone.moved if known else gone.never
            result.suspended = len(gone.lost)
            if root.identity and root.identity.device not in (-1, listing.identity.device):
                result.problem = (
                    f"folder {os.fsdecode(root.folder)!r} is on another disk than before: "
                    "unmounted? its images stay until `indexer scan --accept-deletions`"
                )
            self._journal.suspend((file.root, file.path) for file in gone.lost)
        result.held = len(gone.held)
        self._carry_out(doomed, stores)
        result.deleted = len(doomed)
        if allowed:  # only now: a crash before this must not use up the user's word
            self._roots.trust(root, listing.identity)

    def _carry_out(self, doomed: Sequence[File], stores: Sequence[VectorStore]) -> None:
        if not doomed:
            return
        ids = [point_id(file.root, file.path) for file in doomed]
        for store in stores:
            store.delete(ids)
        self._journal.remove((file.root, file.path) for file in doomed)


def _compare(
    files: Iterable[File], listing: Listing
) -> tuple[list[tuple[bytes, Signature]], list[File]]:
    """New or changed paths with their signatures, and remembered files that are gone."""
    new = dict(listing.files)
    changed, vanished = [], []
    for file in files:
        signature = new.pop(file.path, None)
        if signature is None:
            if not listing.hides(file.path):
                vanished.append(file)
        elif signature != file.signature or file.state in ("unsettled", "waiting"):
            changed.append((file.path, signature))
    changed.extend(new.items())
    return changed, vanished


def _are_few(lost: Sequence[File], total: int) -> bool:
    return len(lost) * 2 <= total


def _traces_of_all(root: Root, chooser: Chooser) -> set[_Trace]:
    """What lies below a root, other indexers' files among it: a file that got a name in another's
    part has only moved."""
    try:
        listing = list_root(root.folder, chooser.whole())
    except RootError:
        return set()
    return {_trace(signature) for signature in listing.files.values()}


def _trace(signature: Signature) -> _Trace:
    """What a rename leaves as it was; the change time is not among it."""
    return signature.device, signature.inode, signature.size, signature.mtime_ns
