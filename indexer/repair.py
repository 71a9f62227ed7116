"""Mends what the doctor found: takes back what is wrong, and owes the files again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexer.doctor import Finding, Key, findings_by_kind
from indexer.journal import Journal
from shared.reading import Signature
from shared.store.protocol import VectorStore


@dataclass(frozen=True, slots=True)
class Mended:
    """How many points were deleted and how many files are owed again."""

    deleted: int
    owed: int


def mend(
    findings: Sequence[Finding],
    journal: Journal,
    collection: str,
    store: VectorStore,
    signature: Callable[[Key], Signature | None],
) -> Mended:
    """Delete orphaned and stale points, and owe every file that should have one.

    Works beside a running indexer as well: it does what the journal owes. Stale points go before
    their files are read again, so that no bad vector is taken for a copy's.
    """
    sorted_ = findings_by_kind(findings)
    wrong = sorted_["orphaned"] + sorted_["stale"]
    if wrong:
        store.delete([finding.id for finding in wrong])
    gone = [(one.root, one.path) for one in sorted_["orphaned"]]
    journal.remove(key for key in gone if signature(key) is None)
    again = {(one.root, one.path) for one in sorted_["stale"] + sorted_["missing"]}
    journal.lose(collection, again)
    owed = [(*key, found) for key in sorted(again) if (found := signature(key)) is not None]
    refused = {(file.root, file.path): file.signature for file in journal.refused()}
    owed = [one for one in owed if refused.get(one[:2]) != one[2]]
    journal.owe(owed)
    return Mended(len(wrong), len(owed))
