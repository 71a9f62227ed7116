"""Files without the parts beside the pixels that a decoder stumbles over, as browsers read them."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"

_SEEN = (b"tRNS", b"iCCP", b"eXIf")
"""Ancillary chunks of a PNG that change what a person sees."""
_SEEN_IN_JPEG = (b"Exif\0", b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/")
_TEXTS, _PACKED = (b"tEXt", b"zTXt", b"iTXt"), (b"iCCP", b"zTXt")
_ORIENTING = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"Raw profile type APP1")
"""Texts that may tell how the picture is turned; others are of no use for its pixels."""
_LARGEST = 2**20 - 1
"""Bytes of one text or profile, unpacked, that Pillow takes."""


_EXIF_ITEM = re.compile(rb"(infe[\2\3]\0\0.(?:..|....)\0\0)Exif", re.DOTALL)
"""Where a file of boxes (AVIF) names an item that holds EXIF."""


def without_side_chunks(data: bytes) -> tuple[bytes, ...]:
    """The same picture with less beside its pixels, to be tried in this order where a decoder
    refuses the file; nothing for a format whose decoder never does.

    The first of a PNG or JPEG still has transparency, colour profile, orientation and capture date,
    as far as they can be sound, and is a still picture; the second has none of them.
    """
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data[4:8] == b"ftyp":
        return (_EXIF_ITEM.sub(rb"\1none", data),)
    return ()


def _jpeg(data: bytes) -> tuple[bytes, bytes]:
    first, second, at = [data[:2]], [data[:2]], 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at : at + 2 + length]
        at += 2 + length
        content = segment[4:]
        aside = 0xE0 <= marker <= 0xEF or marker == 0xFE
        # Without this one, colours would be taken for others.
        adobe = marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12
        if not aside or adobe:
            second.append(segment)
        if not aside or adobe or content.startswith(_SEEN_IN_JPEG):
            first.append(segment)
        if marker == 0xDA:
            break
    return b"".join([*first, data[at:]]), b"".join([*second, data[at:]])


def _png(data: bytes) -> tuple[bytes, bytes]:
    first, second, tried = [_PNG], [_PNG], set[bytes]()
    for kind, content, chunk in _chunks(data):
        if not kind[:1].islower():
            second.append(chunk)
            first.append(chunk)
            continue
        key = content.partition(b"\0")[0] if kind in _TEXTS else kind
        # Each is looked at once, so that thousands of them take no time.
        if key in (*_SEEN, *_ORIENTING) and key not in tried:
            tried.add(key)
            if _is_sound(kind, content, chunk):
                first.append(chunk)
    return b"".join(first), b"".join(second)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, content and all bytes of each chunk, up to the picture's end."""
    at, kind = len(_PNG), b""
    while kind != b"IEND" and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        yield kind, data[at + 8 : end - 4], data[at:end]
        at = end


def _is_sound(kind: bytes, content: bytes, chunk: bytes) -> bool:
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    if kind in (b"tRNS", b"eXIf"):
        return True
    _, _, rest = content.partition(b"\0")
    packed = kind in _PACKED
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if not packed:
        return len(rest) <= _LARGEST
    try:
        return len(zlib.decompressobj().decompress(rest, _LARGEST + 1)) <= _LARGEST
    except zlib.error:
        return False
