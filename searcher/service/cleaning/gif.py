"""GIF: frames stay, comments where they name no place; other applications' data is left out.

Structure: *Graphics Interchange Format, Version 89a*, CompuServe 1990.
"""

from __future__ import annotations

import re

from searcher.service.cleaning.words import Odd, harmless

_TRAILER, _EXTENSION, _FRAME = 0x3B, 0x21, 0x2C
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")
"""How often an animation runs, and the colour profile. XMP is one of the others."""

_SWALLOWED = re.compile(rb"xmpmeta|rdf:|GPSL")
"""In a damaged file the lengths of a frame's blocks may lead past its end, into text."""


def cleaned(data: bytes) -> bytes:
    """The same picture without a place. Raises `Odd`."""
    try:
        at = 13 + _table_bytes(data[10])
        out = [data[:at]]
        while data[at] != _TRAILER:
            start = at
            if data[at] == _FRAME:
                at = _blocks_end(data, at + 11 + _table_bytes(data[at + 9]))
                if _SWALLOWED.search(data, start, at):
                    raise Odd("text among the pixels")
                out.append(data[start:at])
            elif data[at] == _EXTENSION:
                at = _blocks_end(data, at + 2)
                out.append(data[start:at] if _tells_no_place(data[start:at]) else b"")
            else:
                raise Odd("no block where one belongs")
    except IndexError as error:
        raise Odd("truncated") from error
    return b"".join([*out, data[at : at + 1]])


def _table_bytes(flags: int) -> int:
    """Size of the table of colours that follows, 0 for none."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    """Where a row of blocks ends that begin with their length; an empty one is the last."""
    while data[at]:
        at += data[at] + 1
    return at + 1


def _tells_no_place(extension: bytes) -> bool:
    kind, blocks = extension[1], extension[2:]
    if kind == _COMMENT:
        return harmless(_joined(blocks))
    if kind == _APPLICATION:
        return blocks[0] == 11 and blocks[1:12] in _APPLICATIONS
    return kind == _CONTROL


def _joined(blocks: bytes) -> bytes:
    text, at = b"", 0
    while blocks[at]:
        text += blocks[at + 1 : at + 1 + blocks[at]]
        at += blocks[at] + 1
    return text
