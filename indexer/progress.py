"""How far the present batch of work is, while files go on arriving, changing and disappearing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from shared.work_progress import WorkProgress

WINDOW_SECONDS = 20.0
"""The rate is that of so long ago until now: older speeds say little about the rest."""
ENOUGH_SECONDS = 0.5
"""Below this much time a rate says nothing."""


class ProgressTracker:
    """Follows one batch of work after the other. A batch begins with the first pending file, and is
    over when none is pending.

    `done` of a batch never decreases, and `total` is always what is done and what is pending: it
    grows with the files that arrive and shrinks with those that are deleted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finished_before = 0
        self._done = 0
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, finished: int, pending: int) -> WorkProgress | None:
        """The progress now; None if nothing is pending.

        `finished`: files that got an outcome since the process started. `pending`: files without
        one, those that are still being written among them.
        """
        if pending <= 0:
            self._finished_before, self._done = finished, 0
            self._samples.clear()
            return None
        self._done = max(self._done, finished - self._finished_before)
        return WorkProgress(self._done, self._done + pending, self._seconds_left(pending))

    def _seconds_left(self, pending: int) -> float | None:
        now, samples = self._clock(), self._samples
        if len(samples) == 1 and samples[0][1] == self._done:
            samples.clear()  # the wait before the first file is no part of the rate
        samples.append((now, self._done))
        while len(samples) > 2 and samples[1][0] <= now - WINDOW_SECONDS:
            samples.popleft()
        since, before = samples[0]
        if now - since < ENOUGH_SECONDS or self._done == before:
            return None
        return float(round(pending * (now - since) / (self._done - before)))
