"""Perceptual hashes compared."""

from __future__ import annotations

import re

HASH_BITS = 64

_HASH = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)


def hash_distance(first: str, second: str) -> int:
    """How many of the 64 bits of two perceptual hashes (16 hex digits each) differ, 0 to 64.

    Raises ValueError for anything else.
    """
    for text in (first, second):
        if not _HASH.fullmatch(text):
            raise ValueError(f"perceptual hash is {text!r}: it must be 16 hex digits")
    return (int(first, 16) ^ int(second, 16)).bit_count()
