"""Which pictures of a collection belong together: links between pairs, and the sets they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Tier
from searcher.neighbours import Pairs
from searcher.sameness import Fingerprint, Sight, sameness
from searcher.small_pictures import SmallPictures
from searcher.tier_rule import TierRule
from searcher.union_find import UnionFind
from shared.reading import Limits
from shared.types import ImageRecord

MOST_CHECKED = 4
"""Nearest others of a picture whose pixels are looked at; an altered copy is the nearest of all in
99 of 100 cases (docs/near-duplicates.md)."""

_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """Pictures, by their number, in sets of the same pixels and in sets of altered copies."""

    same: UnionFind
    altered: UnionFind

    def tier(self, first: int, second: int) -> Tier:
        """What one picture is to another of its group."""
        if self.same.find(first) == self.same.find(second):
            return "exact"
        return "near" if self.altered.find(first) == self.altered.find(second) else "similar"

    def sets(self, tier: Tier) -> list[list[int]]:
        """The sets of the same pictures, or of those and altered ones."""
        return (self.same if tier == "exact" else self.altered).sets()


def link(
    records: Sequence[ImageRecord],
    pairs: Pairs,
    pictures: SmallPictures,
    rule: TierRule,
    limits: Limits,
) -> Linked:
    """Look at the pairs of records that may be one picture, and join those that are.

    A copy of a copy is a copy: sets grow along their links.
    """
    same, altered = UnionFind(len(records)), UnionFind(len(records))
    chosen = _candidates(records, pairs, rule)
    for start in range(0, len(chosen), _AT_ONCE):
        some = chosen[start : start + _AT_ONCE]
        sights = [
            (_sight(records[a], pictures), _sight(records[b], pictures), float(score))
            for a, b, score in zip(
                pairs.first[some], pairs.second[some], pairs.scores[some], strict=True
            )
        ]
        for pair, found in zip(some, sameness(sights, rule, limits), strict=True):
            a, b = int(pairs.first[pair]), int(pairs.second[pair])
            if found == "exact":
                same.join(a, b)
            if found is not None:
                altered.join(a, b)
    return Linked(same, altered)


def _candidates(records: Sequence[ImageRecord], pairs: Pairs, rule: TierRule) -> NDArray[np.int64]:
    """Which pairs are worth looking at, as `sameness.may_be_same` says, all at once."""
    hashes = np.array([int(record.phash, 16) for record in records], np.uint64)
    bits = np.bitwise_count(hashes[pairs.first] ^ hashes[pairs.second])
    alike = (bits <= rule.candidate_bits) & (pairs.scores >= rule.candidate_score)
    return np.flatnonzero(alike & (pairs.rank < MOST_CHECKED))


def _sight(record: ImageRecord, pictures: SmallPictures) -> Sight:
    return Sight(Fingerprint.of(record), pictures.of(record), lambda: pictures.data(record))


def similar_sets(linked: Linked, pairs: Pairs, rule: TierRule) -> list[list[int]]:
    """Sets of pictures that are like one in their middle, altered copies counting as one.

    Not along links: a chain of like pictures ends far from where it began. The set with most likes
    takes them all, then the next with most that are left takes those.
    """
    members: dict[int, list[int]] = {}
    for places in linked.altered.sets():
        members[linked.altered.find(places[0])] = places
    likes: dict[int, set[int]] = {key: set() for key in members}
    alike = pairs.scores >= rule.grouped_score
    for first, second in zip(pairs.first[alike], pairs.second[alike], strict=True):
        a, b = linked.altered.find(int(first)), linked.altered.find(int(second))
        if a != b:
            likes[a].add(b)
            likes[b].add(a)
    found, taken = [], set[int]()
    for middle in sorted(likes, key=lambda key: (-len(likes[key]), key)):
        if middle not in taken:
            together = [middle, *sorted(likes[middle] - taken)]
            taken.update(together)
            found.append([place for key in together for place in members[key]])
    return found
