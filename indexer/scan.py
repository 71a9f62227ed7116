"""Disk against journal: what must be read, and what may be deleted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.journal import File, Journal
from indexer.listing import Chooser, Listing, list_root
from indexer.roots import Root, Roots
from indexer.settling import Settling, has_rested
from shared.errors import RootError
from shared.points import point_id
from shared.reading import Signature
from shared.store.protocol import VectorStore


@dataclass(slots=True)
class Reconciled:
    """What one look at a root came to.

    `held`: deletions that wait until the same file has been indexed under its new name.
    `suspended`: deletions that wait for the user. `overflow`: some new files could not be watched
    for rest, so the root must be looked at again.
    """

    owed: int = 0
    deleted: int = 0
    held: int = 0
    suspended: int = 0
    problem: str | None = None
    overflow: bool = False


class Scanner:
    """Compares roots with the journal and carries out what may be deleted."""

    def __init__(
        self, journal: Journal, roots: Roots, settling: Settling, *, settle_seconds: float
    ) -> None:
        self._journal, self._roots, self._settling = journal, roots, settling
        self._settle = settle_seconds

    def reconcile(self, root: Root, chooser: Chooser, stores: Sequence[VectorStore]) -> Reconciled:
        """List a root, owe what is new or changed, delete what is surely gone."""
        try:
            listing = list_root(root.folder, chooser)
        except RootError as error:
            self._roots.note(root, root.suspended, str(error))
            return Reconciled(suspended=root.suspended, problem=str(error))
        files = list(self._journal.files(root.id))
        changed, vanished = _compare(files, listing)
        result = Reconciled(problem=_unreadable(listing))
        self._owe(root, changed, result)
        self._delete(root, listing, files, vanished, changed, stores, result)
        self._roots.note(root, result.suspended, result.problem)
        return result

    def _owe(
        self, root: Root, changed: Iterable[tuple[bytes, Signature]], result: Reconciled
    ) -> None:
        owed = []
        for path, signature in changed:
            if has_rested(signature, self._settle):
                owed.append((root.id, path, signature))
            elif not self._settling.watch(root.id, path, signature):
                result.overflow = True
        self._journal.owe(owed)
        result.owed = len(owed)

    def _delete(
        self,
        root: Root,
        listing: Listing,
        files: Sequence[File],
        vanished: Sequence[File],
        changed: Sequence[tuple[bytes, Signature]],
        stores: Sequence[VectorStore],
        result: Reconciled,
    ) -> None:
        if not vanished:
            self._roots.trust(root, listing.identity)
            return
        arriving = {_trace(signature) for _, signature in changed} | self._journal.owed_traces()
        here = {_trace(signature) for signature in listing.files.values()}
        held: list[File] = []
        moved: list[File] = []
        lost: list[File] = []
        never: list[File] = []
        for file in vanished:
            if file.sha256 is None:
                never.append(file)  # it was never indexed, so nothing is lost with it
            elif _trace(file.signature) in arriving:
                held.append(file)
            else:
                (moved if _trace(file.signature) in here else lost).append(file)
        known = root.identity is None or root.identity.is_same(listing.identity)
        total = sum(file.sha256 is not None for file in files)
        few = len(lost) * 2 <= total
        # What was suspended stays so: new files may not make few of what were too many.
        allowed = root.accept or not lost or (known and few and not root.suspended)
        if allowed:
            doomed = never + moved + lost
        else:
            doomed = never + moved if known else never
            result.suspended = len(lost)
            if root.identity and root.identity.device not in (-1, listing.identity.device):
                result.problem = (
                    f"folder {os.fsdecode(root.folder)!r} is on another disk than before: "
                    "unmounted? its images stay until `indexer scan --accept-deletions`"
                )
            self._journal.suspend((file.root, file.path) for file in lost)
        result.held = len(held)
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
        elif signature != file.signature or file.state == "unsettled":
            changed.append((file.path, signature))
    changed.extend(new.items())
    return changed, vanished


def _trace(signature: Signature) -> tuple[int, int, int, int]:
    """What a rename leaves as it was; the change time is not among it."""
    return signature.device, signature.inode, signature.size, signature.mtime_ns


def _unreadable(listing: Listing) -> str | None:
    if not listing.unreadable:
        return None
    folder, reason = next(iter(listing.unreadable.items()))
    more = f" and {len(listing.unreadable) - 1} more" if len(listing.unreadable) > 1 else ""
    return f"folder {os.fsdecode(folder) or '.'!r}{more} cannot be listed: {reason}"
