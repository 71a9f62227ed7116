"""The same searches in the owner's process and through its Unix socket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.searching.filling import Filling
from benchmarks.searching.owned import Owned, owned
from shared.types import Embeddings


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians in seconds, in the owner's process and through the socket."""

    size: int
    with_records: bool
    inside: float
    through: float

    @property
    def more(self) -> float:
        """Seconds that the socket costs."""
        return self.through - self.inside


def through_socket(filling: Filling, size: int, queries: Embeddings, rounds: int) -> list[Compared]:
    """Ids and scores, then with payloads beside; owner and client take turns, on all processors."""
    with owned(filling.home, filling.clusters, queries, queries[:0]) as sides:
        return [
            Compared(size, with_records, *_medians(sides, rounds, with_records))
            for with_records in (False, True)
        ]


def _medians(sides: Owned, rounds: int, with_records: bool) -> tuple[float, float]:
    inside: list[list[float]] = []
    through: list[list[float]] = []
    for _ in range(rounds + 1):
        sides.wish(do="ask", with_records=with_records)
        inside.append(sides.answer())
        through.append(sides.question.seconds_of_all(sides.client, with_records=with_records))
    return _median(inside[1:]), _median(through[1:])  # the first round fetches from the disk


def _median(rounds: list[list[float]]) -> float:
    seconds: NDArray[np.float64] = np.array(rounds)
    return float(np.median(seconds))
