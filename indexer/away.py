"""A store that is away: how long to leave it alone, and waiting for it at the start."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from indexer.home import Home
from indexer.indexing import Indexing
from indexer.status_reporter import StatusReporter
from shared.errors import StoreAway, StoreError
from shared.heartbeat import beat

MAX_BACK_OFF_SECONDS = 60.0
LOOK_SECONDS = 1.0
"""How often the heart beats meanwhile."""

_log = logging.getLogger(__name__)


def back_off_seconds(failures: int, error: StoreError) -> float:
    """How long to leave a store alone after so many failures in a row: longer and longer, never the
    same for two who failed together, and at least as long as it asked for."""
    pause = min(MAX_BACK_OFF_SECONDS, 2.0**failures) * random.uniform(0.5, 1)  # noqa: S311
    asked = error.seconds if isinstance(error, StoreAway) else None
    return max(pause, asked or 0.0)


def wait_for_store(home: Home, wait: Callable[[float], bool]) -> Indexing | None:
    """The home, opened for a process that stays, as soon as its store answers; None if `wait` was
    told to stop. What changes meanwhile is found by the first listing.

    Raises what `Indexing` raises, but for `StoreAway`.
    """
    reporter, failures = StatusReporter(home.settings.run, home.journal), 0
    while True:
        beat(home.settings.run)
        try:
            return Indexing(home, stays=True)
        except StoreAway as error:
            failures += 1
            if failures == 1:
                _log.warning("waiting for the store: %s", error)
            reporter.report(f"degraded: waiting for the store: {error}")
            if _wait_out(home, back_off_seconds(failures, error), wait):
                return None


def _wait_out(home: Home, seconds: float, wait: Callable[[float], bool]) -> bool:
    """Sleep so long with a beating heart; whether `wait` was told to stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        beat(home.settings.run)
        if wait(min(left, LOOK_SECONDS)):
            return True
    return False
