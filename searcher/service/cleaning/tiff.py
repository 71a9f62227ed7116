"""TIFF, and EXIF, which is a TIFF without a picture: only what is known to tell no place is kept.

The structure is walked, the tags of `tags.KEPT` stay where they are with their values, and every
other byte becomes zero: GPS, maker notes, XMP, IPTC, unknown tags, and what no tag points at.
Structure: TIFF revision 6.0 (1992); EXIF: CIPA DC-008-2019, 4.6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from dataclasses import dataclass

from searcher.service.cleaning import tags
from searcher.service.cleaning.words import Odd, harmless

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
"""Bytes of a value by its type."""

_TEXT = (2, 129)
_SMALL_BYTES = 32
_MAX_ENTRIES = 50_000
_MAX_DEPTH = 2
"""The picture's directory, EXIF in it, interoperability in that."""

_METADATA_IN_JPEG = re.compile(rb"\xff[\xe1-\xef\xfe]")
"""Application data and comments; the coded pixels of a JPEG never contain these two bytes."""


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    raw: bytes  # the 12 bytes
    value: bytes
    span: tuple[int, int] | None  # where the value lies, unless it lies in the entry


def cleaned(data: bytes) -> bytes:
    """The same TIFF or EXIF structure, of the same length, without a place. Raises `Odd`."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise Odd("no TIFF header")
    try:
        return _Walk(data, order).cleaned()
    except struct.error as error:
        raise Odd("truncated") from error


class _Walk:
    """One way through a structure: what is kept and what is removed, as spans of bytes."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data, self._order = data, order
        self._kept: list[tuple[int, int]] = [(0, 8)]
        self._removed: list[tuple[int, int]] = []
        self._tables: list[tuple[int, bytes]] = []
        self._seen: set[int] = set()
        self._entries = 0

    def cleaned(self) -> bytes:
        (at,) = self._numbers("I", 4, 1)
        while at:
            at = self._directory(at, tags.KEPT)
        if _overlap(self._kept, self._removed):
            raise Odd("what tells a place lies within what does not")
        out = bytearray(len(self._data))
        for start, end in self._kept:
            out[start:end] = self._data[start:end]
        for start, table in self._tables:
            out[start : start + len(table)] = table
        return bytes(out)

    def _numbers(self, form: str, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self._order}{count}{form}", self._data, at)

    def _directory(self, at: int, known: Collection[int], depth: int = 0) -> int:
        """Walk one directory and those below it. Where the next one begins, or 0."""
        (count,) = self._numbers("H", at, 1)
        (following,) = self._numbers("I", at + 2 + 12 * count, 1)
        self._entries += count
        if at in self._seen or self._entries > _MAX_ENTRIES or depth > _MAX_DEPTH:
            raise Odd("directories without end")
        self._seen.add(at)
        entries = [self._entry(at + 2 + 12 * number) for number in range(count)]
        kept = [entry for entry in entries if entry.tag in known and _tells_no_place(entry)]
        kept = self._with_pixels(kept)
        for entry in entries:
            if entry.span:
                (self._kept if entry in kept else self._removed).append(entry.span)
            if entry.tag in tags.BELOW:
                self._below(entry, entry in kept, depth + 1)
        span = (at, at + 6 + 12 * count)
        (self._kept if known else self._removed).append(span)
        raw = b"".join(entry.raw for entry in kept)
        table = struct.pack(f"{self._order}H", len(kept)) + raw
        table += struct.pack(f"{self._order}I", following)
        self._tables.append((at, table.ljust(span[1] - at, b"\0")))
        return following

    def _entry(self, at: int) -> _Entry:
        tag, kind = self._numbers("H", at, 2)
        (count,) = self._numbers("I", at + 4, 1)
        if kind not in _SIZES:
            raise Odd("a value of unknown type")
        size = _SIZES[kind] * count
        start = at + 8 if size <= 4 else self._numbers("I", at + 8, 1)[0]
        if start + size > len(self._data):
            raise Odd("a value outside the data")
        span = None if size <= 4 else (start, start + size)
        raw = self._data[at : at + 12]
        return _Entry(tag, kind, raw, self._data[start : start + size], span)

    def _below(self, pointer: _Entry, kept: bool, depth: int) -> None:
        """Walk the directory that an entry points at, which has none after it."""
        places = self._values(pointer)
        known = tags.BELOW[pointer.tag] if kept else ()
        if len(places) != 1 or self._directory(places[0], known, depth):
            raise Odd("not one directory where one belongs")

    def _values(self, entry: _Entry) -> tuple[int, ...]:
        form = {3: "H", 4: "I", 13: "I"}.get(entry.kind)
        if form is None:
            raise Odd("offsets that are no whole numbers")
        return struct.unpack(
            f"{self._order}{len(entry.value) // _SIZES[entry.kind]}{form}", entry.value
        )

    def _with_pixels(self, entries: list[_Entry]) -> list[_Entry]:
        """Keep the strips, tiles and small JPEG that the entries point at; the entries but those of
        a JPEG that has metadata of its own."""
        by_tag = {entry.tag: entry for entry in entries}
        if len(by_tag) < len(entries):
            raise Odd("a tag twice")
        for where, length in tags.PIXELS:
            if (where in by_tag) != (length in by_tag):
                raise Odd("pixels without a place or length")
            if where not in by_tag:
                continue
            starts, sizes = self._values(by_tag[where]), self._values(by_tag[length])
            if len(starts) != len(sizes):
                raise Odd("pixels without a place or length")
            spans = [(start, start + size) for start, size in zip(starts, sizes, strict=True)]
            if any(end > len(self._data) for _, end in spans):
                raise Odd("pixels outside the data")
            if self._has_metadata(by_tag, spans):
                entries = [entry for entry in entries if entry.tag not in (where, length)]
                self._removed.extend(spans)
            else:
                self._kept.extend(spans)
        return entries

    def _has_metadata(self, by_tag: dict[int, _Entry], spans: list[tuple[int, int]]) -> bool:
        compression = by_tag.get(tags.COMPRESSION)
        if compression is None or self._values(compression)[:1] not in tags.JPEG_COMPRESSIONS:
            return False
        return any(_METADATA_IN_JPEG.search(self._data, *span) for span in spans)


def _tells_no_place(entry: _Entry) -> bool:
    if entry.kind in _TEXT:
        return harmless(entry.value.rstrip(b"\0"))
    if entry.tag == tags.USER_COMMENT:  # 8 bytes name its characters
        return harmless(entry.value[8:].strip(b"\0 "))
    return len(entry.value) <= _SMALL_BYTES or entry.tag in tags.LONG


def _overlap(kept: list[tuple[int, int]], removed: list[tuple[int, int]]) -> bool:
    """Whether a byte is in both."""
    ends = [0, 0]
    spans = [(*span, 0) for span in kept] + [(*span, 1) for span in removed]
    for start, end, side in sorted(spans):
        if start < min(end, ends[1 - side]):
            return True
        ends[side] = max(ends[side], end)
    return False
