"""Indexed pictures small enough to be compared by the thousand, and two files pixel by pixel."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from searcher.duplicates.alike import SMALL, Small
from searcher.pictures import located
from shared.errors import ImageRefused
from shared.images import decode, seen
from shared.reading import Limits, content_hash, read_file
from shared.types import ImageRecord

MOST_KEPT = 20_000


class Keeper(Protocol):
    """Keeps small files by the hash of the picture they were made of, as long as it likes."""

    def get(self, sha256: str) -> bytes | None:
        """What was put, if it is still there."""
        ...

    def put(self, sha256: str, data: bytes) -> None:
        """Keep this."""
        ...


class SmallPictures:
    """Small pictures of indexed files; the last `most` are in memory, with 5 KB for each, and all
    of them with the `keeper`, if there is one. Safe to use from several threads."""

    def __init__(
        self,
        roots: Mapping[str, Path],
        limits: Limits,
        keeper: Keeper | None = None,
        most: int = MOST_KEPT,
    ) -> None:
        self._roots, self._limits, self._keeper, self._most = roots, limits, keeper, most
        self._kept: dict[str, Small] = {}
        self._lock = threading.Lock()
        self.unread: set[str] = set()
        """Ids of the pictures whose files could not be read when they were wanted."""

    def data(self, record: ImageRecord) -> bytes | None:
        """The file's bytes; None if it is not there, or not what was indexed any more."""
        path = located(self._roots, record)
        if path is None:
            return None
        try:
            data = read_file(path, self._limits)[0]
        except ImageRefused:
            return None
        return data if content_hash(data) == record.sha256 else None

    def of(self, record: ImageRecord) -> Small | None:
        """The indexed picture, None if its file cannot be read."""
        found = self._kept.get(record.sha256)
        if found is None:
            found = self._kept_elsewhere(record.sha256) or self._made(record)
        if found is None:
            self.unread.add(record.id)
            return None
        with self._lock:
            if record.sha256 not in self._kept and len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[record.sha256] = found
        return found

    def _kept_elsewhere(self, sha256: str) -> Small | None:
        data = self._keeper.get(sha256) if self._keeper else None
        return None if data is None else Small.of_bytes(data)

    def _made(self, record: ImageRecord) -> Small | None:
        made = small(self.data(record), self._limits)
        if made is not None and self._keeper is not None:
            self._keeper.put(record.sha256, made.to_bytes())
        return made


def small(data: bytes | None, limits: Limits) -> Small | None:
    """A picture's bytes as a small picture, None if there are none or they are refused."""
    if data is None:
        return None
    try:
        decoded = decode(data, [SMALL], limits)
    except ImageRefused:
        return None
    return Small.of(decoded.pixels[0], min(decoded.width, decoded.height))


def same_pixels(first: bytes, second: bytes, limits: Limits) -> bool:
    """Whether two pictures have the same pixels, decoded in full as a person sees them.

    That is upright, in 8 bits of sRGB, and with the same transparency; the colours of what cannot
    be seen may differ. False if one of them is refused.
    """
    try:
        (a, alpha_a), (b, alpha_b) = seen(first, limits), seen(second, limits)
    except ImageRefused:
        return False
    if alpha_a is None or alpha_b is None:
        return alpha_a is alpha_b and np.array_equal(a, b)
    return np.array_equal(alpha_a, alpha_b) and np.array_equal(a, b)
