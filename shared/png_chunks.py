"""PNG files without the chunks that a decoder stumbles over."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_LARGEST_TEXT = 2**20 - 1
"""Bytes of one text, unpacked, that Pillow takes."""
_LARGEST_TEXTS = 32 * 2**20
_ORIENTING = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"Raw profile type APP1")
"""Texts that may tell how the picture is turned."""
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
"""Kept all together or not at all."""


def without_side_chunks(data: bytes) -> bytes | None:
    """The PNG without ancillary chunks that are damaged, too large or of no use for its pixels.

    Palette, transparency, colour profile, orientation and capture date stay where they are sound.
    None if there is nothing to take away.
    """
    kept, left_out, texts = list[tuple[bytes, bytes]](), set[bytes](), 0
    for kind, content, chunk in _chunks(data):
        if _is_critical(kind):
            kept.append((kind, chunk))
            continue
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind in _TEXTS:
            sound = sound and _orients(content) and _unpacks(kind, content)
            texts += len(content)
            sound = sound and texts <= _LARGEST_TEXTS
        elif kind == b"iCCP":
            sound = sound and _unpacks(kind, content)
        if sound:
            kept.append((kind, chunk))
        else:
            left_out.add(kind)
    if not left_out:
        return None
    still = left_out.intersection(_ANIMATION)
    chunks = [chunk for kind, chunk in kept if not (still and kind in _ANIMATION)]
    return b"".join([SIGNATURE, *chunks])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, content and all bytes of each chunk, up to the picture's end."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND" and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) and not _is_critical(kind):
            return
        yield kind, data[at + 8 : end - 4], data[at:end]
        at = end


def _is_critical(kind: bytes) -> bool:
    return not kind[:1].islower()


def _orients(content: bytes) -> bool:
    return content.startswith(_ORIENTING)


def _unpacks(kind: bytes, content: bytes) -> bool:
    """Whether a chunk's text or profile is no larger than a decoder takes, and is not damaged."""
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt":
        return len(rest) <= _LARGEST_TEXT
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        _, _, rest = rest.partition(b"\0")
        _, _, rest = rest.partition(b"\0")
        if not packed:
            return len(rest) <= _LARGEST_TEXT
    else:
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, _LARGEST_TEXT + 1)) <= _LARGEST_TEXT
    except zlib.error:
        return False
