"""The options of a search: how many clusters, how many results, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.errors import QueryError
from shared.thresholds import WANTED_RECALL
from shared.where import Condition

Probes = int | Literal["auto", "all"]
"""Clusters to search: the nearest few; *auto*, as many as a wanted recall needs; *all*."""


@dataclass(frozen=True, slots=True)
class Request:
    """`number` results at most, of those that fulfil `where`, found in the clusters of `probes`.

    `wanted_recall` in (0, 1] is what *auto* reaches. `verify`: search everything as well, and tell
    the recall. Results below `min_score`, a cosine in [-1, 1], or `min_percentile`, in [0, 100],
    are left out, and so is the query image itself unless `keep_self`. Raises `QueryError` for
    values out of range.
    """

    number: int = 12
    probes: Probes = "auto"
    wanted_recall: float = WANTED_RECALL
    verify: bool = False
    where: tuple[Condition, ...] = ()
    min_score: float | None = None
    min_percentile: float | None = None
    keep_self: bool = False

    def __post_init__(self) -> None:
        if self.number < 1:
            raise QueryError(f"{self.number} results were asked for: ask for at least 1")
        if not isinstance(self.probes, str) and self.probes < 1:
            raise QueryError(f"probes is {self.probes}: give 1 or more, auto or all")
        for name, value, low, high in (
            ("recall", self.wanted_recall, 0.0, 1.0),
            ("min score", self.min_score, -1.0, 1.0),
            ("min percentile", self.min_percentile, 0.0, 100.0),
        ):
            if value is not None and not low <= value <= high:
                raise QueryError(f"{name} is {value}: give a number from {low:g} to {high:g}")
        if not self.wanted_recall > 0:
            raise QueryError("recall is 0: give a number more than 0")


def parse_probes(text: str) -> Probes:
    """`--probes`: a whole number from 1, *auto* or *all*. Raises `QueryError`."""
    match text:
        case "auto" | "all":
            return text
        case _ if text.isdecimal() and text.isascii() and int(text) >= 1:
            return int(text)
    raise QueryError(f"probes is {text!r}: give auto, all or a whole number from 1")
