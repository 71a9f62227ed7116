"""WebP: chunks that show the picture stay, EXIF is cleaned, XMP stays where it names no place.

Structure: RFC 9649.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from searcher.service.cleaning import tiff
from searcher.service.cleaning.words import Odd, harmless

_SHOWN = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ICCP")
_HAS_XMP = 0x04
"""Bit of the first byte of VP8X."""


def cleaned(data: bytes) -> bytes:
    """The same picture without a place. Raises `Odd`."""
    (size,) = struct.unpack_from("<I", data.ljust(8, b"\0"), 4)
    if size + 8 > len(data):
        raise Odd("truncated")
    kept = [
        (kind, found)
        for kind, body in _chunks(data, 12, size + 8)
        if (found := _chunk(kind, body)) is not None
    ]
    if b"XMP " not in dict(kept):
        kept = [(kind, _without_xmp(body) if kind == b"VP8X" else body) for kind, body in kept]
    packed = b"WEBP" + b"".join(
        struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2) for kind, body in kept
    )
    return struct.pack("<4sI", b"RIFF", len(packed)) + packed


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while at < end:
        if at + 8 > end:
            raise Odd("truncated")
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise Odd("a chunk outside the data")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(kind: bytes, body: bytes) -> bytes | None:
    """What is kept of a chunk; None for nothing."""
    if kind in _SHOWN:
        return body
    if kind == b"ANMF":
        # A frame has 16 bytes of its own and then chunks.
        if any(inner not in _SHOWN for inner, _ in _chunks(body, 16, len(body))):
            raise Odd("a frame with more than pixels")
        return body
    if kind == b"EXIF":
        prefix = 6 if body.startswith(b"Exif\0") else 0  # some programs keep JPEG's
        return body[:prefix] + tiff.cleaned(body[prefix:])
    if kind == b"XMP " and harmless(body):
        return body
    return None


def _without_xmp(body: bytes) -> bytes:
    return bytes([body[0] & ~_HAS_XMP]) + body[1:] if body else body
