"""Failing on purpose: what is to go wrong, for which requests, how often."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from typing import Any

from tests.qdrant.asking import Asked, Cut, Reply

STATUSES = {
    "429": (429, "Rate limiting exceeded: Write rate limit exceeded, retry later"),
    "500": (500, "Service internal error: made to fail"),
    "503": (503, "Shard temporarily unavailable: made to fail"),
    "507": (507, "No space left on device: WAL buffer size exceeds available disk space"),
}
WAYS = {*STATUSES, "timeout", "reset-before", "reset-after", "slow"}


@dataclass(slots=True)
class Failure:
    """The next `times` requests that match fail in this way.

    `match`: a pattern found in "METHOD /path", `PUT /collections/.*/points$` for one.
    `how`: an HTTP status; *timeout* holds the request for `seconds`, then closes; *slow* answers
    after `seconds`; *reset-before* and *reset-after* end the connection before or after carrying
    the request out.
    """

    match: str
    how: str
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise ValueError(f"how={self.how!r}: one of {', '.join(sorted(WAYS))}")
        re.compile(self.match)

    @property
    def reply(self) -> Reply | None:
        """What is answered instead of carrying the request out, if it is not."""
        if self.how in STATUSES:
            status, error = STATUSES[self.how]
            # The server rounds up to whole seconds, too.
            headers = {"retry-after": str(math.ceil(self.seconds))} if status == 429 else {}
            return Reply(status, error=error, headers=headers)
        cut: dict[str, Cut] = {"timeout": "close", "reset-before": "reset"}
        return Reply(cut=cut[self.how]) if self.how in cut else None

    @property
    def waits(self) -> float:
        """Seconds to wait before anything is done."""
        return self.seconds if self.how in ("timeout", "slow") else 0.0


class Failures:
    """The failures that are still to come. Safe to call from several threads."""

    def __init__(self) -> None:
        self._plan: list[Failure] = []
        self._lock = threading.Lock()

    def plan(self, plan: list[dict[str, Any]]) -> None:
        """Replace what was planned. Raises `TypeError` and `ValueError` for what is no plan."""
        failures = [Failure(**failure) for failure in plan]
        with self._lock:
            self._plan = failures

    def next(self, asked: Asked) -> Failure | None:
        """The failure that this request meets, counted as met."""
        line = f"{asked.method} {asked.path}"
        with self._lock:
            for failure in self._plan:
                if failure.times > 0 and re.search(failure.match, line):
                    failure.times -= 1
                    return failure
        return None
