"""Gives the results of an answer their tiers, and leaves out those below a wanted one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from searcher.answer import Answer, Tier
from searcher.opening import Home
from searcher.query.examples import Question

if TYPE_CHECKING:
    from searcher.duplicates.small_pictures import SmallPictures


def with_tiers(
    answer: Answer,
    question: Question,
    home: Home,
    least: Tier | None,
    pictures: SmallPictures | None = None,
) -> Answer:
    """The answer with the tier of each result; with `least`, of that tier and better ones only.

    Only results that may be the query's own picture are read from the disk, unless `pictures` has
    them from a question before. Of several examples at once nothing can be the same picture, so
    that results are *similar* at best.
    """
    if not answer.results:
        return answer
    from searcher.duplicates.tier_rule import TierRule
    from searcher.duplicates.tiers import Fingerprint, Tiers

    tiers = Tiers(home.roots, TierRule.calibrated(home.calibration), home.limits, pictures)
    decoded = question.like[0].decoded
    if not question.is_plain:
        found = tiers.alike(answer.results)
    elif decoded is not None:
        asked = question.like[0]
        found = tiers.of(Fingerprint.of(decoded), asked.query.data, answer.results, asked.small)
    elif answer.point is not None:
        found = tiers.of_indexed(answer.point, answer.results)
    else:
        found = tiers.alike(answer.results)
    if least is None:
        return replace(answer, tiers=found)
    wanted = get_args(Tier)[: get_args(Tier).index(least) + 1]
    kept = tuple(one for one in answer.results if found.get(one.id) in wanted)
    left_out = answer.left_out + len(answer.results) - len(kept)
    return replace(answer, tiers=found, results=kept, left_out=left_out)
