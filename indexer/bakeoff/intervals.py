"""How far a mean over queries can be trusted: the bootstrap's percentile interval.

Efron, *Bootstrap methods: another look at the jackknife* (1979). It says how much the figure would
move with other queries of the same sort; it does not know that another training would differ, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
_LOW, _HIGH = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether the mean may as well be zero."""
        return self.low <= 0 <= self.high


def interval(values: NDArray[np.float64], seed: int) -> Interval:
    """Of float64 (n,), n >= 1, resampled `RESAMPLES` times from `seed`.

    For two encoders pass the differences, query by query: that compares them on the same queries.
    """
    random = np.random.default_rng(seed)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [_LOW, _HIGH])
    return Interval(float(values.mean()), float(low), float(high))
