"""PNG: chunks that show the picture stay, EXIF is cleaned, text stays where it names no place.

Structure: *Portable Network Graphics Specification (Third Edition)*, W3C 2025.
"""

from __future__ import annotations

import struct
import zlib

from searcher.service.cleaning import tiff
from searcher.service.cleaning.words import Odd, harmless

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SHOWN = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT tIME "
    b"acTL fcTL fdAT".split()
)
_KEYWORDS = frozenset(
    b"Title|Author|Description|Copyright|Creation Time|Software|Disclaimer|Warning|Source|Comment|"
    b"Collection|date:create|date:modify|date:timestamp|XML:com.adobe.xmp".split(b"|")
)
"""Registered ones and two programs' habits; "Raw profile type exif" and many others hold EXIF."""


def cleaned(data: bytes) -> bytes:
    """The same picture without a place. Raises `Odd`."""
    out, at, kind = [SIGNATURE], len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise Odd("truncated")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        body = data[at + 8 : end - 4]
        if end > len(data) or _check(kind, body) != data[end - 4 : end]:
            raise Odd("a damaged chunk")
        kept = _chunk(kind, body)
        if kept is not None:
            out.append(
                data[at:end]
                if kept == body
                else struct.pack(">I4s", len(kept), kind) + kept + _check(kind, kept)
            )
        at = end
    return b"".join(out)


def _check(kind: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _chunk(kind: bytes, body: bytes) -> bytes | None:
    """What is kept of a chunk; None for nothing."""
    if kind in _SHOWN:
        return body
    if kind[:1].isupper():
        raise Odd("an unknown chunk without which the picture cannot be shown")
    if kind == b"eXIf":
        return tiff.cleaned(body)
    keyword, _, text = body.partition(b"\0")
    plain = kind == b"tEXt" or (kind == b"iTXt" and text.startswith(b"\0\0"))
    if plain and keyword in _KEYWORDS and harmless(text.lstrip(b"\0").replace(b"\0", b"\n")):
        return body
    return None  # compressed text, and what other programs keep in chunks of their own
