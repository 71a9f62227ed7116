"""When the embedded store merges and flushes: whoever asks meanwhile waits, so it must be seldom;
and the more has piled up the longer it takes, so it must not be too seldom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

REST = 200
"""How many times as long as it took the store then rests from tidying, unless much has changed:
a two-hundredth of the time is what 99 queries in 100 do not notice."""
LOG_POINTS = 2_000
"""Changed points after which the log is flushed: who opens the store after a kill goes through
it."""
LOG_POINTS_ASKED = 14_000
"""The same while somebody asks: to flush takes a fifth to a third of a merge, and longer the more
segments there are."""
ASKED_SECONDS = 60.0
"""While somebody has asked within this time, only what must not wait is done."""


class Upkeep:
    """What has piled up in a store that this process has open."""

    def __init__(self, points: int) -> None:
        """`points`: changed ones after which tidying is due."""
        self._points = points
        self._changed = 0
        self._logged = 0
        self._rests_until = 0.0
        self._asked_until = 0.0
        self.has_written = False
        self.is_flushed = False
        """Not known at first: a process that was killed may have left changes in the log."""

    def note(self, points: int) -> None:
        """That many points were changed."""
        self._changed += points
        self._logged += points
        self.has_written = True
        self.is_flushed = False

    def flushed(self) -> None:
        """Nothing is in the log alone."""
        self._logged = 0
        self.is_flushed = True

    def is_due(self, at_least: int = 0) -> bool:
        """Whether so much has changed that tidying must not wait."""
        return self._changed >= max(self._points, at_least)

    @property
    def should_flush(self) -> bool:
        """Whether the log is too long, by one measure while somebody asks and another while not."""
        return self._logged >= LOG_POINTS and not self.may_keep_log

    @property
    def may_keep_log(self) -> bool:
        """Whether flushing had better wait: somebody asks, and the log is not that long."""
        return self.is_asked and self._logged < LOG_POINTS_ASKED

    def asked(self) -> None:
        """Somebody has searched."""
        self._asked_until = time.monotonic() + ASKED_SECONDS

    @property
    def is_asked(self) -> bool:
        """Whether somebody searched not long ago."""
        return time.monotonic() < self._asked_until

    @property
    def may_wait(self) -> bool:
        """Whether tidying that is not due had better wait: somebody asks, or the last time was so
        recently. What has changed meanwhile is in the log, and is searched as it is."""
        return self.is_asked or time.monotonic() < self._rests_until

    @contextmanager
    def tidying(self) -> Iterator[None]:
        """Around the work, during which more may change; if it fails it is due again."""
        started, changed = time.monotonic(), self._changed
        self._changed = 0
        try:
            yield
        except BaseException:
            self._changed += changed
            raise
        ended = time.monotonic()
        self._rests_until = ended + REST * (ended - started)
