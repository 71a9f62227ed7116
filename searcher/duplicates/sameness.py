"""Whether two pictures are the same, or one is the other altered: hash, vector, then pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from searcher.duplicates.alike import Small, agreement
from searcher.duplicates.small_pictures import same_pixels
from searcher.duplicates.tier_rule import TierRule
from searcher.hashes import bits_apart, hashes_of
from shared.reading import Limits
from shared.types import Decoded, ImageRecord

Sameness = Literal["exact", "near"]

_SAME_BITS = 6
"""Bits by which the hashes of the same pixels may differ: a JPEG is hashed at a reduced scale."""
_SAME_LEVELS = 3.0
"""Mean difference of the same pixels' small pictures, for the same reason."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a picture without its pixels; `hashes`: its perceptual hashes, 16 hex digits
    each, by version."""

    sha256: str
    hashes: Mapping[int, str]
    width: int
    height: int

    @classmethod
    def of(cls, picture: Decoded | ImageRecord) -> Fingerprint:
        """Of a decoded query or an indexed image."""
        return cls(picture.sha256, hashes_of(picture), picture.width, picture.height)

    def may_equal(self, other: Fingerprint) -> bool:
        """Whether nothing here speaks against the same pixels."""
        sizes = (self.width, self.height), (other.width, other.height)
        bits = self.bits_apart(other)
        return sizes[0] == sizes[1] and (bits is None or bits <= _SAME_BITS)

    def bits_apart(self, other: Fingerprint) -> int | None:
        """Bits by which the hashes differ; None if they have no version in common."""
        return bits_apart(self.hashes, other.hashes)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A picture as far as it can be seen here: `small` is None where its file cannot be read."""

    fingerprint: Fingerprint
    small: Small | None
    data: Callable[[], bytes | None]


def may_be_same(first: Fingerprint, second: Fingerprint, score: float, rule: TierRule) -> bool:
    """Whether two pictures are worth looking at; `score` is the cosine of their vectors."""
    if first.sha256 == second.sha256:
        return True
    bits = first.bits_apart(second)
    if bits is None:
        bits = rule.candidate_bits  # the vectors alone must speak for it
    return bool(rule.is_candidate(np.array([bits]), np.array([score], np.float32))[0])


def sameness(
    pairs: Sequence[tuple[Sight, Sight, float]], rule: TierRule, limits: Limits
) -> list[Sameness | None]:
    """What each pair is to each other; the third of a pair is the cosine of its vectors."""
    found: list[Sameness | None] = [None] * len(pairs)
    looked: list[tuple[int, Small, Small]] = []
    for place, (first, second, score) in enumerate(pairs):
        if first.fingerprint.sha256 == second.fingerprint.sha256:
            found[place] = "exact"
        elif first.small is not None and second.small is not None:
            looked.append((place, first.small, second.small))
        elif _near_unseen(first, second, score, rule):
            found[place] = "near"
    shares = agreement([a for _, a, _ in looked], [b for _, _, b in looked])
    for (place, _, _), share in zip(looked, shares, strict=True):
        first, second, score = pairs[place]
        if _same(first, second, limits):
            found[place] = "exact"
        elif np.isnan(share):
            found[place] = "near" if _near_unseen(first, second, score, rule) else None
        elif share >= _wanted(first, second, score, rule):
            found[place] = "near"
    return found


def _wanted(first: Sight, second: Sight, score: float, rule: TierRule) -> float:
    """The share of blocks that must agree."""
    bits = first.fingerprint.bits_apart(second.fingerprint)
    backed = bits is not None and bits <= rule.backed_bits and score >= rule.backed_score
    return rule.backed_agreement if backed else rule.agreement


def _near_unseen(first: Sight, second: Sight, score: float, rule: TierRule) -> bool:
    bits = first.fingerprint.bits_apart(second.fingerprint)
    return bits is not None and bits <= rule.unseen_bits and score >= rule.unseen_score


def _same(first: Sight, second: Sight, limits: Limits) -> bool:
    """Whether the pixels are the same; the files are decoded in full only if all else says so."""
    one = first.fingerprint
    if not one.may_equal(second.fingerprint) or first.small is None or second.small is None:
        return False
    if first.small.distance(second.small) > _SAME_LEVELS:
        return False
    a, b = first.data(), second.data()
    if a is None or b is None:
        return False
    return same_pixels(a, b, limits)
