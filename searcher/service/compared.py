"""The small pictures that results are compared by, on disk beside the thumbnails."""

from __future__ import annotations

from pathlib import Path

from searcher.duplicates.alike import SMALL
from searcher.service.thumbnails import Thumbnails


class Compared:
    """A `Keeper` in a folder of at most `max_bytes`.

    To make one of these takes as long as to decode its photograph, and an answer may need dozens.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._files = Thumbnails(folder, max_bytes, edges=(SMALL.size,))

    def get(self, sha256: str) -> bytes | None:
        """What was put, if it is still there."""
        return self._files.get(sha256, SMALL.size)

    def put(self, sha256: str, data: bytes) -> None:
        """Keep this."""
        self._files.put(sha256, SMALL.size, data)
