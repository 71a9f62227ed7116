"""Which pictures of a collection belong together: links between pairs, and the sets they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Tier
from searcher.duplicates.neighbours import Pairs
from searcher.duplicates.sameness import Fingerprint, Sight, sameness
from searcher.duplicates.small_pictures import SmallPictures
from searcher.duplicates.tier_rule import TierRule
from searcher.duplicates.union_find import UnionFind
from shared.reading import Limits
from shared.types import ImageRecord

Numbers = NDArray[np.int64]

CHECKED, CHECKED_BITS = 4, 16
"""Of a picture's others, the nearest is looked at, for it is the altered copy if there is one in 99
of 100 cases (docs/near-duplicates.md), and the nearest few that its hash speaks for as well."""

_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """The number of each picture's set, int64 (n,): of the same pixels, with altered copies, and
    with those that look like them."""

    exact: Numbers
    near: Numbers
    similar: Numbers

    def tier(self, first: int, second: int) -> Tier:
        """What one picture is to another of its group."""
        if self.exact[first] == self.exact[second]:
            return "exact"
        return "near" if self.near[first] == self.near[second] else "similar"

    def sets(self, tier: Tier) -> list[list[int]]:
        """The sets that hold pictures together up to a tier, their pictures rising."""
        numbers = {"exact": self.exact, "near": self.near, "similar": self.similar}[tier]
        found: dict[int, list[int]] = {}
        for place, number in enumerate(numbers.tolist()):
            found.setdefault(number, []).append(place)
        return list(found.values())


def link(
    records: Sequence[ImageRecord],
    pairs: Pairs,
    pictures: SmallPictures,
    rule: TierRule,
    limits: Limits,
    tier: Tier = "near",
) -> Linked:
    """Look at the pairs of records that may be one picture, and make sets of those that are.

    With the tier *exact*, only at those that may have the same pixels.

    Only the same pixels are joined along chains. Altered copies must be copies of one in their
    middle, and similar pictures like one: a chain of like pictures ends far from where it began.
    """
    same, altered = UnionFind(len(records)), list[tuple[int, int]]()
    chosen = _candidates(records, pairs, rule)
    if tier == "exact":
        chosen = _equals(records, pairs, chosen)
    for start in range(0, len(chosen), _AT_ONCE):
        some = chosen[start : start + _AT_ONCE]
        ends = list(zip(pairs.first[some].tolist(), pairs.second[some].tolist(), strict=True))
        sights = [
            (_sight(records[a], pictures), _sight(records[b], pictures), float(score))
            for (a, b), score in zip(ends, pairs.scores[some], strict=True)
        ]
        for (a, b), found in zip(ends, sameness(sights, rule, limits), strict=True):
            if found == "exact":
                same.join(a, b)
            elif found == "near":
                altered.append((a, b))
    exact = np.array([same.find(place) for place in range(len(records))], np.int64)
    near = around_middles(exact, altered)
    alike = pairs.scores >= rule.grouped_score
    ends = list(zip(pairs.first[alike].tolist(), pairs.second[alike].tolist(), strict=True))
    return Linked(exact, near, around_middles(near, ends))


def _candidates(records: Sequence[ImageRecord], pairs: Pairs, rule: TierRule) -> NDArray[np.int64]:
    """Which pairs are worth looking at, as `sameness.may_be_same` says, all at once: int64."""
    hashes = np.array([int(record.phash, 16) for record in records], np.uint64)
    versions = np.array([record.phash_version for record in records], np.int64)
    bits = np.bitwise_count(hashes[pairs.first] ^ hashes[pairs.second]).astype(np.int64)
    bits[versions[pairs.first] != versions[pairs.second]] = rule.candidate_bits
    alike = rule.is_candidate(bits, pairs.scores)
    near = (pairs.rank == 0) | ((pairs.rank < CHECKED) & (bits <= CHECKED_BITS))
    return np.flatnonzero(alike & near)


def _equals(records: Sequence[ImageRecord], pairs: Pairs, chosen: Numbers) -> Numbers:
    """Those of the chosen pairs that may have the same pixels."""
    prints = [Fingerprint.of(record) for record in records]
    kept = [
        prints[a].may_equal(prints[b])
        for a, b in zip(pairs.first[chosen].tolist(), pairs.second[chosen].tolist(), strict=True)
    ]
    return chosen[np.array(kept, np.bool_)]


def _sight(record: ImageRecord, pictures: SmallPictures) -> Sight:
    return Sight(Fingerprint.of(record), pictures.of(record), lambda: pictures.data(record))


def around_middles(numbers: Numbers, ends: Sequence[tuple[int, int]]) -> Numbers:
    """Sets made of sets: each holds one in its middle and some that are linked with that one.

    `numbers` are those of the old sets, `ends` pairs of pictures. The set with most links takes all
    that it is linked with, then the next of what is left, and so on.
    """
    links: dict[int, set[int]] = {}
    for a, b in ends:
        first, second = int(numbers[a]), int(numbers[b])
        if first != second:
            links.setdefault(first, set()).add(second)
            links.setdefault(second, set()).add(first)
    middle_of: dict[int, int] = {}
    for middle in sorted(links, key=lambda number: (-len(links[number]), number)):
        if middle not in middle_of:
            left = links[middle] - middle_of.keys()
            middle_of |= dict.fromkeys((middle, *left), middle)
    return np.array([middle_of.get(number, number) for number in numbers.tolist()], np.int64)
