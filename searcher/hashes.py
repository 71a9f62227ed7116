"""Perceptual hashes compared."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.types import PHASH_VERSION, Decoded, ImageRecord

HASH_BITS = 64

_HASH = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)


def hashes_of(picture: Decoded | ImageRecord) -> Mapping[int, str]:
    """The perceptual hashes of a decoded query or an indexed image, by their versions."""
    if isinstance(picture, ImageRecord):
        return {picture.phash_version: picture.phash}
    return {1: picture.old_phash, PHASH_VERSION: picture.phash}


def bits_apart(first: Mapping[int, str], second: Mapping[int, str]) -> int | None:
    """How many bits differ between two pictures' hashes of the newest version that both have; None
    if there is none, for hashes of different versions tell nothing of each other."""
    common = first.keys() & second.keys()
    return hash_distance(first[max(common)], second[max(common)]) if common else None


def hash_distance(first: str, second: str) -> int:
    """How many of the 64 bits of two perceptual hashes (16 hex digits each) differ, 0 to 64.

    Raises ValueError for anything else.
    """
    for text in (first, second):
        if not _HASH.fullmatch(text):
            raise ValueError(f"perceptual hash is {text!r}: it must be 16 hex digits")
    return (int(first, 16) ^ int(second, 16)).bit_count()
