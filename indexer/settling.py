"""Files that were just written: read only after their signature has rested."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping

from shared.reading import Signature, is_absent

MAX_FILES = 10_000
"""Files watched for rest at a time; beyond it the next listing of their root finds them."""


class Settling:
    """Paths whose signature must stay the same for `settle_seconds` of the monotonic clock."""

    def __init__(self, settle_seconds: float) -> None:
        self._settle = settle_seconds
        self._since: dict[tuple[str, bytes], tuple[Signature, float]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def watch(self, root: str, path: bytes, signature: Signature) -> bool:
        """Start (or go on) watching a path; False if there are too many already."""
        key = (root, path)
        known = self._since.get(key)
        if known is None and len(self._since) >= MAX_FILES:
            return False
        if known is None or known[0] != signature:
            self._since[key] = (signature, time.monotonic())
        return True

    def forget(self, root: str, path: bytes) -> None:
        """Stop watching a path: it is owed already."""
        self._since.pop((root, path), None)

    def next_seconds(self) -> float | None:
        """Seconds until the first path may have rested; None if there is none."""
        if not self._since:
            return None
        first = next(iter(self._since.values()))[1]
        return max(0.0, first + self._settle - time.monotonic())

    def rested(self, folders: Mapping[str, bytes]) -> list[tuple[str, bytes, Signature]]:
        """Take out the paths that have rested; the changed start again, the absent are dropped, and
        those that cannot be looked at are tried again."""
        due = time.monotonic() - self._settle
        rested = []
        for (root, path), (signature, since) in list(self._since.items()):
            if since > due:
                continue
            del self._since[root, path]
            try:
                found = look(folders[root] + b"/" + path) if root in folders else None
            except OSError:
                self.watch(root, path, signature)
                continue
            if found == signature:
                rested.append((root, path, signature))
            elif found is not None:
                self.watch(root, path, found)
        return rested


def look(path: bytes) -> Signature | None:
    """Return the signature of a regular file; None for anything else or nothing.

    Raises `OSError` when it is unknown what is there.
    """
    try:
        found = os.lstat(path)
    except OSError as error:
        if is_absent(error):
            return None
        raise
    return Signature.of(found) if stat.S_ISREG(found.st_mode) else None


def has_other_names(path: bytes) -> bool:
    """Whether a file has more than one hard link."""
    try:
        return os.lstat(path).st_nlink > 1
    except OSError:
        return False


def has_rested(signature: Signature, settle_seconds: float) -> bool:
    """Whether the kernel's own change time is old enough to read the file at once.

    A change time in the future tells nothing: such a file is watched instead.
    """
    return time.time_ns() - signature.ctime_ns >= settle_seconds * 1e9
