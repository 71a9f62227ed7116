"""What share of the truly nearest a way to ask finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.searching.sides import PROBES, Asking, Side, nearest

NEAR = 1e-4
"""Cosines closer than this are one: Float16, which the store keeps, tells no more apart. A found
point counts if its own cosine reaches that of the truly tenth, as in ANN-Benchmarks."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The lowest cosine of the true nearest, and how many these are, by the number of clusters
    searched (0: everything) and by query: of an exact scan in float32."""

    asking: Asking
    lowest: dict[int, list[float]]
    numbers: dict[int, list[int]]

    def recall(self, side: Side, queries: int) -> tuple[float, float]:
        """Of the nearest in the clusters that the side searches, and of all; the first queries."""
        found = [side.ask(asked) for asked in range(queries)]
        return self._share(found, side.probes), self._share(found, 0)

    def _share(self, found: list[list[int]], probes: int) -> float:
        shares = []
        for asked, rows in enumerate(found):
            cosines = self.asking.points[sorted(set(rows))] @ self.asking.queries[asked]
            right = int((cosines >= self.lowest[probes][asked] - NEAR).sum())
            shares.append(right / max(1, self.numbers[probes][asked]))
        return float(np.mean(shares))


def nearest_of(asking: Asking, queries: int) -> Nearest:
    """By scanning everything for each of the first queries."""
    truth = Nearest(asking, {n: [] for n in (*PROBES, 0)}, {n: [] for n in (*PROBES, 0)})
    for asked in range(queries):
        cosines = asking.points @ asking.queries[asked]
        own = asking.clusters.nearest(asking.queries[asked : asked + 1], PROBES[-1])[0]
        for probes in (*PROBES, 0):
            some = cosines[np.isin(asking.numbers, own[:probes])] if probes else cosines
            best = some[nearest(some)]
            truth.lowest[probes].append(float(best[-1]) if len(best) else 2.0)
            truth.numbers[probes].append(len(best))
    return truth
