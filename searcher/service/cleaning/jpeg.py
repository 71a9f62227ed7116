"""JPEG: segments that may tell a place are left out or cleaned; the coded pixels stay as they are.

Structure: ITU-T T.81 (1992), annex B. What follows the first picture is left out: the further ones
of an MPO (CIPA DC-007) with EXIF of their own, a film, a maker's trailer.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from searcher.service.cleaning import tiff
from searcher.service.cleaning.words import Odd, harmless

_SOI: Final = b"\xff\xd8"
_EOI, _SOS, _APP0, _APP1, _APP2, _APP14, _COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_APPS = range(0xE0, 0xF0)
_TABLES = (*range(0xC0, 0xD0), *range(0xDB, 0xE0))
"""Frames, tables and restart intervals: no text is in them."""

_EXIF = b"Exif\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_SCAN_ENDS = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""A marker in coded pixels; those that restart decoding belong to the pixels."""


def cleaned(data: bytes) -> bytes:
    """The same first picture without a place. Raises `Odd`."""
    out, at = [_SOI], 2
    try:
        while True:
            start = at
            while data[at] == 0xFF:
                at += 1
            marker = data[at]
            if at == start or marker not in (_EOI, _SOS, _COM, *_TABLES, *_APPS):
                raise Odd("no marker where one belongs")
            if marker == _EOI:
                return b"".join([*out, data[start : at + 1]])
            (length,) = struct.unpack_from(">H", data, at + 1)
            body, at = data[at + 3 : at + 1 + length], at + 1 + length
            if length < 2 or at > len(data):
                raise Odd("a segment outside the data")
            kept = _segment(marker, body)
            if kept is not None:
                out.append(data[start:at] if kept == body else _packed(marker, kept))
            if marker == _SOS:
                end = _SCAN_ENDS.search(data, at)
                if end is None:
                    raise Odd("no end")
                out.append(data[at : end.start()])
                at = end.start()
    except (IndexError, struct.error) as error:
        raise Odd("truncated") from error


def _packed(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _segment(marker: int, body: bytes) -> bytes | None:
    """What is kept of a segment; None for nothing.

    Photoshop's blocks (APP13, with IPTC), extended XMP, C2PA and other applications' data are not
    understood, so that they are left out.
    """
    if marker == _COM:
        return body if harmless(body.rstrip(b"\0")) else None
    if marker == _APP1 and body.startswith(_EXIF):
        return body[:6] + tiff.cleaned(body[6:])
    if marker == _APP1 and body.startswith(_XMP):
        return body if harmless(body[len(_XMP) :]) else None
    if marker not in _APPS or _shows_the_pixels(marker, body):
        return body
    return None


def _shows_the_pixels(marker: int, body: bytes) -> bool:
    """Whether a decoder needs it: JFIF, an ICC profile, Adobe's colour transform."""
    if marker == _APP0:
        return body.startswith(b"JFIF\0")
    if marker == _APP2:
        return body.startswith(b"ICC_PROFILE\0")
    return marker == _APP14 and body.startswith(b"Adobe") and len(body) == 12
