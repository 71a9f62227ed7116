"""How a result is like the query: the same picture, the same but altered, or another like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from searcher.answer import Tier
from searcher.duplicates.alike import Small
from searcher.duplicates.sameness import Fingerprint, Sight, may_be_same, sameness
from searcher.duplicates.small_pictures import SmallPictures, small
from searcher.duplicates.tier_rule import TierRule
from shared.reading import Limits
from shared.types import ImageRecord, ScoredImage

__all__ = ["Fingerprint", "Tiers"]


class Tiers:
    """Names the tiers of results; reads the few files that may be the query's own picture."""

    def __init__(
        self,
        roots: Mapping[str, Path],
        rule: TierRule | None = None,
        limits: Limits | None = None,
        pictures: SmallPictures | None = None,
    ) -> None:
        self.rule = rule or TierRule()
        self._limits = limits or Limits()
        self._pictures = pictures or SmallPictures(roots, self._limits)

    def of(
        self,
        query: Fingerprint,
        data: bytes | None,
        results: Sequence[ScoredImage],
        seen: Small | None = None,
    ) -> dict[str, Tier]:
        """The tier of every result that has one, by the result's id.

        `data`: the query's bytes, None if they cannot be had; then no picture can be altered more
        than its hash forgives. `seen`: the query as a small picture, if it has been made already.
        Results without a record have no tier but *similar*.
        """
        tiers = self.alike(results)
        asked = Sight(query, seen or small(data, self._limits), lambda: data)
        pairs, points, looked = list[tuple[Sight, Sight, float]](), list[str](), 0
        for one in results:
            record = one.record
            if record is None:
                continue
            fingerprint = Fingerprint.of(record)
            if not may_be_same(query, fingerprint, one.score, self.rule):
                continue
            looks = fingerprint.sha256 != query.sha256 and asked.small is not None
            looks, looked = looks and looked < self.rule.most_checked, looked + looks
            pairs.append((asked, self._sight(record, fingerprint, looks), one.score))
            points.append(one.id)
        found = sameness(pairs, self.rule, self._limits)
        return tiers | {
            point: tier for point, tier in zip(points, found, strict=True) if tier is not None
        }

    def alike(self, results: Sequence[ScoredImage]) -> dict[str, Tier]:
        """*similar* for those whose score says so, by their ids; no picture is looked at."""
        return {one.id: "similar" for one in results if one.score >= self.rule.similar_score}

    def of_indexed(self, query: ImageRecord, results: Sequence[ScoredImage]) -> dict[str, Tier]:
        """The same for an indexed image that asks."""
        return self.of(Fingerprint.of(query), self._pictures.data(query), results)

    def _sight(self, record: ImageRecord, fingerprint: Fingerprint, looks: bool) -> Sight:
        picture = self._pictures.of(record) if looks else None
        return Sight(fingerprint, picture, lambda: self._pictures.data(record))
