"""`WorkProgress`: how far a batch of work is, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """`done` of `total` units, 0 <= done <= total; `seconds_left` is None until it can be told."""

    done: int
    total: int
    seconds_left: float | None = None

    def __str__(self) -> str:
        """``448 of 1,000, 7 s left``."""
        counts = f"{self.done:,} of {self.total:,}"
        left = self.seconds_left
        return counts if left is None else f"{counts}, {duration(left)} left"


def duration(seconds: float) -> str:
    """``7 s``, ``12 min``, ``3 h``: rounded, never 0."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    if seconds < 100 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600):,} h"
