"""Duplicates of a whole collection, gathered in groups. Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Tier
from searcher.duplicates.grouping import Linked, link
from searcher.duplicates.neighbours import nearest_pairs
from searcher.duplicates.small_pictures import SmallPictures
from searcher.duplicates.tier_rule import TierRule
from shared.clustering import Clustering
from shared.errors import StoreMissing
from shared.reading import Limits
from shared.store.protocol import VectorStore
from shared.types import EMBEDDING_SIZE, ImageRecord

ORDER: tuple[Tier, ...] = ("exact", "near", "similar")
"""From the same to the merely alike."""


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group; `score` is its cosine with the group's first, `tier` what it is to it.

    The first's own tier is None.
    """

    record: ImageRecord
    score: float
    tier: Tier | None


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are alike, the largest picture first. `tier`: the loosest that holds them."""

    tier: Tier
    members: tuple[Member, ...]

    @property
    def saving(self) -> int | None:
        """Bytes of all but the first; None for images that are only similar."""
        if self.tier == "similar":
            return None
        return sum(member.record.bytes for member in self.members[1:])


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a collection of `total` images, the closest and largest saving first.

    `unread`: images that may be altered copies, but whose files could not be read to tell.
    """

    total: int
    unread: int
    groups: tuple[Group, ...]

    @property
    def saving(self) -> int:
        """Bytes of all images that are copies of a first one."""
        return sum(group.saving or 0 for group in self.groups)


def find_groups(
    records: Sequence[ImageRecord],
    vectors: NDArray[np.float16],
    clustering: Clustering,
    roots: Mapping[str, Path],
    *,
    tier: Tier = "near",
    min_size: int = 2,
    rule: TierRule | None = None,
    limits: Limits | None = None,
) -> Groups:
    """The groups of at least `min_size` images that are alike up to a tier.

    `records` and `vectors`, (n, 512), as `read_collection` gives them. Needs 100 MB for each
    100,000 images' vectors, about three times as much for records and links, and 200 MB besides.
    """
    rule, limits = rule or TierRule(), limits or Limits()
    # The same bytes have the same vector: one stands for all, so that copies do not hide others.
    alone = {record.sha256: row for row, record in reversed(list(enumerate(records)))}
    standing = np.array(sorted(alone.values()), np.int64)
    pairs = nearest_pairs(vectors[standing], clustering, most=MOST, least_score=_least(rule, tier))
    pictures = SmallPictures(roots, limits)
    linked = link([records[row] for row in standing], pairs, pictures, rule, limits, tier)
    number = {records[row].sha256: place for place, row in enumerate(standing)}
    copies: list[list[int]] = [[] for _ in standing]
    for row, record in enumerate(records):
        copies[number[record.sha256]].append(row)
    found = [
        _group(
            [(row, place) for place in places for row in copies[place]], records, vectors, linked
        )
        for places in linked.sets(tier)
        if sum(len(copies[place]) for place in places) >= min_size
    ]
    found.sort(
        key=lambda group: (ORDER.index(group.tier), -(group.saving or 0), -len(group.members))
    )
    return Groups(len(records), len(pictures.unread), tuple(found))


MOST = 8
"""Neighbours of every picture that may be linked with it."""


def read_collection(store: VectorStore) -> tuple[list[ImageRecord], NDArray[np.float16]]:
    """All records, and their vectors as float16 (n, 512), as the store keeps them.

    Raises `StoreMissing` if there are none.
    """
    records: list[ImageRecord] = []
    parts = list(_read(store, records))
    if not records:
        raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
    return records, np.concatenate(parts)


def _read(store: VectorStore, records: list[ImageRecord]) -> Iterator[NDArray[np.float16]]:
    for batch in store.scroll(with_vectors=True):
        kept = [image for image in batch if image.vector is not None]
        records += [image.record for image in kept]
        vectors = [image.vector for image in kept if image.vector is not None]
        yield np.array(vectors, np.float16).reshape(-1, EMBEDDING_SIZE)


def _least(rule: TierRule, tier: Tier) -> float:
    """The cosine below which no pair can be linked."""
    return (
        min(rule.candidate_score, rule.grouped_score) if tier == "similar" else rule.candidate_score
    )


def _group(
    rows: Sequence[tuple[int, int]],
    records: Sequence[ImageRecord],
    vectors: NDArray[np.float16],
    linked: Linked,
) -> Group:
    """Rows of the collection, each with its place among the images that were linked."""
    ordered = sorted(rows, key=lambda one: _worth_keeping(records[one[0]]))
    (first, at), *others = ordered
    members = []
    for row, place in others:
        score = float(vectors[first].astype(np.float32) @ vectors[row].astype(np.float32))
        tier = linked.tier(at, place)
        members.append(Member(records[row], max(-1.0, min(1.0, score)), tier))
    members.sort(key=lambda one: (ORDER.index(one.tier or "exact"), -one.score))
    loosest = max((ORDER.index(one.tier or "exact") for one in members), default=0)
    return Group(ORDER[loosest], (Member(records[first], 1.0, None), *members))


def _worth_keeping(record: ImageRecord) -> tuple[int, int, float, str, str]:
    """Most pixels first, then most bytes, then the oldest."""
    return -record.width * record.height, -record.bytes, record.mtime, record.root, record.path
