"""Camera raw files built by hand: TIFF files whose picture is a sensor's values."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image

Entry = tuple[int, int, bytes | Sequence[int]]
"""A tag, its type, and its values; a type of text or bytes has bytes."""

_BYTE, _TEXT, _SHORT, _LONG = 1, 2, 3, 4
_LETTERS = {_SHORT: "H", _LONG: "I"}

DNG_VERSION: Entry = (50706, _BYTE, b"\1\4\0\0")
EXIF_DATE = b"2024:05:06 07:08:09\0"


def raw_file(
    image: Image.Image,
    *,
    make: bytes = b"MAKER",
    order: str = "<",
    dng: bool = True,
    photometric: int = 32803,
    compression: int = 1,
    chained: bool = False,
) -> bytes:
    """The image as the values of a sensor in RGGB, behind a preview of 160 x 120.

    `chained`: its directory follows the first one, rather than lying below it.
    """
    small = np.asarray(image.resize((160, 120))).tobytes()
    values = _mosaic(image).astype(order + "u2").tobytes()
    width, height = image.size
    preview: list[Entry] = [
        *_picture(160, 120, [8, 8, 8], 1, 2, 3),
        (254, _LONG, [1]),
        (271, _TEXT, make + b"\0"),
        (272, _TEXT, b"MODEL\0"),
        (306, _TEXT, EXIF_DATE),
        *([DNG_VERSION] if dng else []),
    ]
    sensor: list[Entry] = [
        *_picture(width, height, [16], compression, photometric, 1),
        (254, _LONG, [0]),
        (33421, _SHORT, [2, 2]),
        (33422, _BYTE, bytes([0, 1, 1, 2])),
    ]
    first, second, pixels = 8, 2000, 4096
    preview += [(273, _LONG, [pixels]), (279, _LONG, [len(small)])]
    sensor += [(273, _LONG, [pixels + len(small)]), (279, _LONG, [len(values)])]
    if not chained:
        preview.append((330, _LONG, [second]))
    data = bytearray(pixels) + small + values
    data[:8] = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", first)
    for at, entries, following in ((first, preview, chained * second), (second, sensor, 0)):
        packed = _directory(order, at, entries, following)
        data[at : at + len(packed)] = packed
    return bytes(data)


def _picture(
    width: int, height: int, bits: list[int], compression: int, photometric: int, samples: int
) -> list[Entry]:
    return [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, bits),
        (259, _SHORT, [compression]),
        (262, _SHORT, [photometric]),
        (274, _SHORT, [1]),
        (277, _SHORT, [samples]),
        (278, _LONG, [height]),
    ]


def _mosaic(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """One colour of every pixel, linear, in 16 bits."""
    linear = (np.asarray(image) / 255.0) ** 2.2 * 65535
    seen = linear[..., 1].copy()
    seen[::2, ::2] = linear[::2, ::2, 0]
    seen[1::2, 1::2] = linear[1::2, 1::2, 2]
    return np.asarray(seen, dtype=np.uint16)


def _directory(order: str, at: int, entries: list[Entry], following: int) -> bytes:
    behind = at + 2 + 12 * len(entries) + 4
    table, extra = struct.pack(order + "H", len(entries)), b""
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        if isinstance(values, bytes):
            packed = values
        else:
            packed = struct.pack(f"{order}{len(values)}{_LETTERS[kind]}", *values)
        table += struct.pack(order + "HHI", tag, kind, len(values))
        if len(packed) > 4:
            table += struct.pack(order + "I", behind + len(extra))
            extra += packed + bytes(len(packed) % 2)
        else:
            table += packed.ljust(4, b"\0")
    return table + struct.pack(order + "I", following) + extra
