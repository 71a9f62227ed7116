"""A recommendation in words that says no more than the figures bear out.

Encoders are compared on the same queries: what counts is the 95 % interval of their difference. If
it holds zero, or if there are few queries, they are tied, and cost decides: an encoder that is in
use already stays, else the fastest is taken where it is faster by a quarter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.bakeoff.entrants import CURRENT
from indexer.bakeoff.intervals import Interval, interval
from indexer.bakeoff.names import figure_name, floor_name
from indexer.bakeoff.questions import Scores
from indexer.bakeoff.results import Measured, Verdict, deciding, measure

FEWEST_QUERIES = 30
"""Below this, a bootstrap of so few values promises more than it can hold."""

_MUCH_FASTER = 1.25


def recommend(
    measured: Sequence[Measured], floors: Mapping[str, Scores] | None, seed: int
) -> Verdict:
    """What to take of the encoders that were measured, at least one; `seed` is the bootstrap's."""
    fair = sorted(
        (one for one in measured if not one.seen), key=lambda one: -float(one.values.mean())
    )
    if not fair:
        return Verdict(("No encoder was measured fairly, so none is recommended.",), None, ())
    best = fair[0]
    differences = {one.name: interval(best.values - one.values, seed) for one in fair[1:]}
    tied = [
        best,
        *(one for one in fair[1:] if not _told_apart(differences[one.name], len(best.values))),
    ]
    take = _cheapest(tied)
    sentences = _winner(fair, differences) if len(tied) == 1 else _tie(tied, differences, take)
    sentences += _against_floors(take, floors, seed)
    return Verdict(tuple(sentences), take.name, tuple(one.name for one in tied))


def _told_apart(difference: Interval, queries: int) -> bool:
    return queries >= FEWEST_QUERIES and not difference.holds_zero


def _cheapest(tied: Sequence[Measured]) -> Measured:
    for one in tied:
        if one.name == CURRENT:
            return one
    fastest = max(tied, key=lambda one: one.speed.images_per_second)
    gain = fastest.speed.images_per_second / tied[0].speed.images_per_second
    return fastest if gain >= _MUCH_FASTER else tied[0]


def _winner(fair: Sequence[Measured], differences: Mapping[str, Interval]) -> list[str]:
    best = fair[0]
    text = f"Take {best.name}: {_figure(best)}"
    if len(fair) == 1:
        return [f"{text}. Nothing else was measured that it could be compared with."]
    second = fair[1].name
    return [
        f"{text}, {differences[second].mean:.3f} more than the next, {second} "
        f"({_range(differences[second])})."
    ]


def _tie(
    tied: Sequence[Measured], differences: Mapping[str, Interval], take: Measured
) -> list[str]:
    best, *others = tied
    rest = ", ".join(
        f"{one.name} ({one.values.mean():.3f}; {differences[one.name].mean:.3f} less, "
        f"{_range(differences[one.name])})"
        for one in others
    )
    pictures = "one picture" if len(best.values) == 1 else f"{len(best.values):,} pictures"
    tie = f"A tie: {best.name} ({_figure(best)}) and {rest} cannot be told apart on {pictures}."
    if take.name == CURRENT:
        return [tie, "Stay with the current encoder: a change promises nothing."]
    if take is best:
        return [tie, f"Take {take.name}: none of the others is much faster."]
    rate, other = take.speed.images_per_second, best.speed.images_per_second
    return [tie, f"Take {take.name}, the faster one: {rate:,.0f} images/s against {other:,.0f}."]


def _against_floors(take: Measured, floors: Mapping[str, Scores] | None, seed: int) -> list[str]:
    if not floors:
        return []
    name, scores = max(floors.items(), key=lambda item: float(deciding(item[1]).mean()))
    values = deciding(scores)
    difference = interval(take.values - values, seed)
    floor = f"The best floor, {floor_name(name)}, has {values.mean():.3f}"
    if not _told_apart(difference, len(values)):
        return [
            f"{floor}: {take.name} cannot be told apart from it ({difference.mean:+.3f}, "
            f"{_range(difference)})."
        ]
    if difference.mean > 0:
        return [f"{floor}, {difference.mean:.3f} less ({_range(difference)})."]
    return [
        f"{floor}, {-difference.mean:.3f} more: {take.name} has not learnt what these pictures "
        "show. Train on more of them, or for more --epochs."
    ]


def _figure(one: Measured) -> str:
    return f"{figure_name(measure(one.scores))} {one.values.mean():.3f}"


def _range(difference: Interval) -> str:
    return f"95 % interval {difference.low:.3f} to {difference.high:.3f}"
