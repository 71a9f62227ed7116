"""`indexer doctor`: disk against journal against store, so that nobody has to believe.

What must hold once things are quiet: the store's points are exactly the eligible files on disk,
each with the content hash, encoder and cluster that it should have; whatever is not indexed is
refused with a reason; whatever is indexed without a file waits for the user's word.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexer.journal import File, Journal
from indexer.listing import Chooser, Listing, list_root
from indexer.roots import Root
from shared.clustering import Clustering
from shared.errors import ImageRefused, RootError
from shared.points import point_id
from shared.reading import Limits, Signature, content_hash, read_file
from shared.store.protocol import UNIT_TOLERANCE, VectorStore
from shared.types import EMBEDDING_SIZE, StoredImage

Kind = Literal["missing", "orphaned", "stale"]

LABEL_TOLERANCE = 1e-3
"""How much farther than the nearest a label's own centroid may be: vectors keep 16 bits."""

Key = tuple[str, bytes]
"""A root id and a path inside that root."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one path, and why. `id` is that of the point."""

    kind: Kind
    root: str
    path: bytes
    id: str
    why: str


@dataclass(slots=True)
class Diagnosis:
    """What one examination found. `others`: points in the store that belong to other indexers.
    `unknown`: paths of points that cannot be looked at now. `problems` concern the home or a whole
    folder."""

    files: int = 0
    points: int = 0
    others: int = 0
    findings: list[Finding] = field(default_factory=list)
    refused: list[File] = field(default_factory=list)
    waiting: list[File] = field(default_factory=list)
    suspended: list[Key] = field(default_factory=list)
    unknown: list[Key] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong; refused, waiting and suspended files are not wrong."""
        return not self.findings and not self.problems

    def also_in(self, earlier: Diagnosis) -> Diagnosis:
        """This diagnosis with the findings that an earlier one had as well.

        Beside a running indexer a finding may only be a file on its way; what is seen twice is not.
        """
        before = {(finding.kind, finding.root, finding.path) for finding in earlier.findings}
        kept = [one for one in self.findings if (one.kind, one.root, one.path) in before]
        return replace(self, findings=kept)


class Examination:
    """One look at everything. `deep` reads every file and compares its content. `shared`: the store
    has points of other indexers, which are those of roots and parts that are not ours.
    """

    def __init__(
        self,
        journal: Journal,
        roots: Sequence[Root],
        choose: Callable[[Root], Chooser],
        clustering: Clustering,
        store: VectorStore,
        *,
        deep: Limits | None = None,
        shared: bool = False,
    ) -> None:
        self._journal, self._clustering, self._store = journal, clustering, store
        self._collection, self._deep = clustering.encoder, deep
        self._roots = {root.id: root for root in roots}
        self._choosers = {root.id: choose(root) for root in roots}
        self._shared = shared
        self._disk: dict[Key, Signature] = {}
        self._listings: dict[str, Listing] = {}
        self._files: dict[Key, File] = {}
        self._journaled: dict[Key, tuple[str, str]] = {}
        self.found = Diagnosis()

    def run(self) -> Diagnosis:
        """Examine. Raises `JournalError` or `StoreError` if either cannot be read."""
        for root in self._roots.values():
            self._list(root)
            self._files |= {
                (root.id, file.path): file
                for file in self._journal.files(root.id)
                if self._is_ours(root.id, file.path)
            }
        self._journaled = {
            (point.root, point.path): (point.sha256, point.cluster)
            for point in self._journal.points(self._collection)
            if self._is_ours(point.root, point.path)
        }
        seen: set[Key] = set()
        for batch in self._store.scroll(with_vectors=True):
            ours = [one for one in batch if self._is_ours(one.record.root, one.record.relative())]
            self.found.others += len(batch) - len(ours)
            self.found.points += len(ours)
            if ours:
                seen.update(self._check_points(ours))
        self._check_files(seen)
        self._check_journal(seen)
        self.found.waiting = [file for file in self._files.values() if file.state == "waiting"]
        self.found.refused = [file for file in self._files.values() if file.state == "refused"]
        return self.found

    def signature(self, key: Key) -> Signature | None:
        """The signature that a path had when its root was listed."""
        return self._disk.get(key)

    def _is_ours(self, root: str, path: bytes) -> bool:
        """Whether a path is this indexer's to keep true; where nobody shares, all are."""
        chooser = self._choosers.get(root)
        return chooser.is_ours(path) if chooser is not None else not self._shared

    def _list(self, root: Root) -> None:
        try:
            listing = list_root(root.folder, self._choosers[root.id])
        except RootError as error:
            self.found.notes.append(f"{error}: nothing is deleted while it is missing")
            return
        self._listings[root.id] = listing
        self.found.files += len(listing.files)
        self._disk |= {(root.id, path): sign for path, sign in listing.files.items()}
        for path, reason in listing.unknown.items():
            name = os.fsdecode(root.folder + b"/" + path).rstrip("/")
            self.found.problems.append(
                f"{name!r} cannot be read: {reason}: nothing is deleted there"
            )

    def _check_points(self, batch: Sequence[StoredImage]) -> Iterator[Key]:
        stale_labels = self._stale_labels(batch)
        for point, stale_label in zip(batch, stale_labels, strict=True):
            record = point.record
            key = (record.root, record.relative())
            if record.id != point_id(*key):
                self._add("orphaned", key, "its id is not that of its path", record.id)
                continue
            yield key
            if key not in self._disk:
                self._check_gone(key)
                continue
            why = self._stale(point, key) or stale_label
            if why:
                self._add("stale", key, why)

    def _check_gone(self, key: Key) -> None:
        root, listing = self._roots.get(key[0]), self._listings.get(key[0])
        if root is None:
            self._add("orphaned", key, "its folder is not remembered")
        elif listing is not None and listing.hides(key[1]):
            self.found.unknown.append(key)
        elif listing is None or root.suspended:
            self.found.suspended.append(key)
        else:
            self._add("orphaned", key, "there is no such file")

    def _stale(self, point: StoredImage, key: Key) -> str | None:
        """Why a point whose file exists is not what it should be."""
        record, file = point.record, self._files.get(key)
        if file is None:
            return "the journal does not know the file"
        if file.state == "refused":
            return "the file is refused"
        if file.state == "waiting":
            return None  # told as a problem: its content is unknown now, and the point stays
        if file.state != "indexed" or not self._is_unchanged(key, file.signature, record.sha256):
            return "content: the file changed and has not been read again"
        if record.sha256 != file.sha256 or record.sha256 != self._journaled.get(key, ("",))[0]:
            return "content: store and journal differ"
        if self._deep is not None and self._content(key) not in (None, record.sha256):
            return "content: the file has other bytes"
        if record.encoder != self._collection:
            return f"encoder: made by {record.encoder}"
        if point.vector is None or not np.isfinite(point.vector).all():
            return "vector: not finite"
        length = float(np.linalg.norm(point.vector))
        if abs(length - 1) > 2 * UNIT_TOLERANCE:
            return f"vector: length {length:.3g}"
        return None

    def _is_unchanged(self, key: Key, signature: Signature, sha256: str) -> bool:
        """Whether a file is as it was read. A hard link made elsewhere moves the change time, and
        no event tells of it: then the content decides."""
        now = self._disk[key]
        if now == signature:
            return True
        return replace(now, ctime_ns=signature.ctime_ns) == signature and (
            self._content(key) == sha256
        )

    def _stale_labels(self, batch: Sequence[StoredImage]) -> list[str | None]:
        """For each point: what is wrong with its cluster label, if anything."""
        clustering = self._clustering
        numbers = {label: number for number, label in enumerate(clustering.labels)}
        vectors = np.stack([_usable(point) for point in batch])
        distances = clustering.distances(vectors)
        nearest = distances.min(axis=1)
        found: list[str | None] = []
        for row, point in enumerate(batch):
            labels = point.record.cluster
            own = [numbers[label] for label in labels if label in numbers]
            if len(own) != 1 or len(labels) != 1:
                found.append(f"cluster: labelled {', '.join(labels) or 'nothing'}")
            elif distances[row, own[0]] > nearest[row] + LABEL_TOLERANCE:
                wanted = clustering.label(int(distances[row].argmin()))
                found.append(f"cluster: labelled {labels[0]}, nearest is {wanted}")
            else:
                found.append(None)
        return found

    def _content(self, key: Key) -> str | None:
        """The hash of what the file holds now; None if it cannot be read."""
        path = self._roots[key[0]].folder + b"/" + key[1]
        try:
            return content_hash(read_file(path, self._deep or Limits())[0])
        except ImageRefused:
            return None

    def _check_files(self, seen: set[Key]) -> None:
        for key, signature in self._disk.items():
            if key in seen:
                continue
            file = self._files.get(key)
            if file is None:
                self._add("missing", key, "it was never seen")
            elif file.state in ("refused", "waiting") and file.signature == signature:
                continue
            elif file.state in ("owed", "unsettled"):
                self._add("missing", key, "it is still owed")
            else:
                self._add("missing", key, "the store has no point for it")

    def _check_journal(self, seen: set[Key]) -> None:
        """Rows of files that exist neither on disk nor in the store."""
        for key in self._files.keys() | self._journaled.keys():
            listing = self._listings.get(key[0])
            if key in seen or key in self._disk or (listing is not None and listing.hides(key[1])):
                continue
            if key[0] not in self._roots:
                self._add("orphaned", key, "the journal keeps it, its folder is not remembered")
            elif listing is not None and not self._roots[key[0]].suspended:
                self._add("orphaned", key, "the journal keeps it, there is no such file")

    def _add(self, kind: Kind, key: Key, why: str, point: str | None = None) -> None:
        self.found.findings.append(Finding(kind, *key, point or point_id(*key), why))


def _usable(point: StoredImage) -> NDArray[np.float32]:
    """The vector, or zeros for one that no distance can be measured from."""
    if point.vector is None or not np.isfinite(point.vector).all():
        return np.zeros(EMBEDDING_SIZE, np.float32)
    return point.vector


def findings_by_kind(findings: Iterable[Finding]) -> dict[Kind, list[Finding]]:
    """Findings sorted into the three kinds, each kind present."""
    sorted_: dict[Kind, list[Finding]] = {"missing": [], "orphaned": [], "stale": []}
    for finding in findings:
        sorted_[finding.kind].append(finding)
    return sorted_
