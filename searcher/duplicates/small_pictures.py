"""Indexed pictures small enough to be compared by the thousand, and two files pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from searcher.duplicates.alike import SMALL, Small
from searcher.pictures import located
from shared.errors import ImageRefused
from shared.images import decode, thumbnail
from shared.reading import Limits, content_hash, read_file
from shared.types import ImageRecord

MOST_KEPT = 20_000


class SmallPictures:
    """Small pictures of indexed files; the last `MOST_KEPT` are kept, with 5 KB for each."""

    def __init__(self, roots: Mapping[str, Path], limits: Limits) -> None:
        self._roots, self._limits = roots, limits
        self._kept: dict[str, Small | None] = {}
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
        key = record.sha256
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = small(self.data(record), self._limits)
        if self._kept[key] is None:
            self.unread.add(record.id)
        return self._kept[key]


def small(data: bytes | None, limits: Limits) -> Small | None:
    """A picture's bytes as a small picture, None if there are none or they are refused."""
    if data is None:
        return None
    try:
        decoded = decode(data, [SMALL], limits)
    except ImageRefused:
        return None
    return Small.of(decoded.pixels[0], min(decoded.width, decoded.height))


def same_pixels(first: bytes, second: bytes, longer_edge: int, limits: Limits) -> bool:
    """Whether two pictures have the same pixels, decoded in full as a person sees them.

    That is upright, in 8 bits of RGB, transparency laid on white. `longer_edge`: of both, in
    pixels, so that nothing is scaled. False if one of them is refused.
    """
    try:
        a, b = (np.asarray(thumbnail(data, longer_edge, limits)) for data in (first, second))
    except ImageRefused:
        return False
    return np.array_equal(a, b)
