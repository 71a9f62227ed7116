"""What the watch saw, boiled down: paths to look at, and roots to list again."""

from __future__ import annotations

import threading

MAX_PATHS = 10_000
"""Paths kept; beyond it their root is listed instead, which finds them all."""


class Hints:
    """A bounded box that forgets duplicates; filled by the watch's threads, emptied by one loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._paths: set[tuple[str, bytes]] = set()
        self._roots: set[str] = set()

    def look_at(self, root: str, path: bytes) -> None:
        """A path of a root may be new or changed."""
        with self._lock:
            if len(self._paths) >= MAX_PATHS:
                self._roots.add(root)
            elif root not in self._roots:
                self._paths.add((root, path))
        self._some.set()

    def list_again(self, root: str) -> None:
        """Something vanished, or events were lost: only a listing tells."""
        with self._lock:
            self._roots.add(root)
        self._some.set()

    def take(self) -> tuple[set[tuple[str, bytes]], set[str]]:
        """Everything seen since the last call: paths, and roots."""
        with self._lock:
            taken = self._paths, self._roots
            self._paths, self._roots = set(), set()
            self._some.clear()
        return taken

    def wait(self, timeout_seconds: float) -> bool:
        """Sleep until there is a hint or the time is over; tells which."""
        return self._some.wait(timeout_seconds)

    def wake(self) -> None:
        """End a `wait` at once."""
        self._some.set()
