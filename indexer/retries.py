"""When files that could not be read are tried again: after a minute, and ever more seldom."""

from __future__ import annotations

import time
from collections.abc import Container

FIRST_SECONDS = 60.0
LONGEST_SECONDS = 86_400.0


class Retries:
    """Back-off of each waiting file, by the monotonic clock of this process.

    A process that has just started tries every file at once: so every `indexer scan` does.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], tuple[float, float]] = {}

    def keep(self, root: str, waiting: Container[bytes]) -> None:
        """Forget the files of a root that wait no more."""
        for key in [one for one in self._known if one[0] == root and one[1] not in waiting]:
            del self._known[key]

    def is_due(self, root: str, path: bytes) -> bool:
        """Return whether to try a file now; if so, the next time is twice as far away."""
        now = time.monotonic()
        due, seconds = self._known.get((root, path), (now, FIRST_SECONDS))
        if now < due:
            return False
        self._known[root, path] = now + seconds, min(2 * seconds, LONGEST_SECONDS)
        return True

    def next_seconds(self, root: str) -> float | None:
        """Return the seconds until the first file of a root is due; None if none waits."""
        due = [one for (key, _), (one, _) in self._known.items() if key == root]
        return max(0.0, min(due) - time.monotonic()) if due else None
