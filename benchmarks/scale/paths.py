"""Paths as cameras and phones make them."""

from __future__ import annotations

ROOT = "photographs"


def relative(number: int) -> bytes:
    """A path of 37 bytes; 1,000 to a folder."""
    folder = number // 1_000
    return b"%04d/%02d/album-%05d/IMG_%08d.jpg" % (2000 + folder % 25, folder % 12, folder, number)
