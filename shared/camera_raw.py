"""Camera raw: told from other files by its first bytes and tags, and developed by LibRaw."""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

from shared.errors import ImageRefused
from shared.reading import Limits

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\2", "CR2"),
    (4, b"ftypcrx ", "RAW"),  # Canon's CR3
    (0, b"FUJIFILMCCD-RAW", "RAW"),
    (0, b"IIRO", "RAW"),  # Olympus
    (0, b"IIRS", "RAW"),
    (0, b"MMOR", "RAW"),
    (0, b"IIU\0", "RAW"),  # Panasonic
    (0, b"FOVb", "RAW"),  # Sigma
    (0, b"\0MRM", "RAW"),  # Minolta
    (6, b"HEAPCCDR", "RAW"),  # Canon's CRW
)
"""Where a file of a camera says what it is: offset, bytes, name of the format."""

_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_SUB_DIRECTORIES, _PHOTOMETRIC, _COMPRESSION, _MAKE, _DNG_VERSION = 330, 262, 259, 271, 50706
_CFA_TAGS = {33421, 33422, 50710}  # CFARepeatPatternDim, CFAPattern, CFAPlaneColor
_SENSOR = {32803, 34892}
"""Photometric interpretations of a sensor's values: colour filter array, linear raw."""
_SENSOR_COMPRESSIONS = {32767, 32769, 32770, 34713, 65000, 65535}
"""Sony, packed, Samsung, Nikon, Kodak, Pentax: compressions that only their raw files have."""
_MAKERS = ((b"NIKON", "NEF"), (b"SONY", "ARW"))

_MOST_DIRECTORIES = 32
_MOST_TAGS = 512
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4}
"""Bytes of a value, by the type of a tag; tags of other types are of no use here."""

_HALVED_EDGE = 512
"""Pixels along the shorter edge from which every 2 x 2 pixels of a sensor, which saw one colour
each, become one: nothing is interpolated, and time and memory are a quarter."""


def raw_format(data: bytes) -> str | None:
    """The format's name if these are a camera's raw file, else None.

    Most are TIFF files whose first picture is a small preview. They are known by their signature,
    or by what any of their directories says of its picture. `data`: the file, or its beginning,
    which is enough for all but a few.
    """
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    if data[:4] not in _TIFF:
        return None
    maker, sensor = b"", False
    for tags in _directories(data):
        if _DNG_VERSION in tags:
            return "DNG"
        maker = maker or tags.get(_MAKE, b"")
        sensor = (
            sensor
            or bool(_CFA_TAGS & tags.keys())
            or bool(_SENSOR.intersection(_numbers(tags, _PHOTOMETRIC)))
            or bool(_SENSOR_COMPRESSIONS.intersection(_numbers(tags, _COMPRESSION)))
        )
    if not sensor:
        return None
    return next((name for begins, name in _MAKERS if maker.upper().startswith(begins)), "RAW")


def _numbers(tags: dict[int, Any], tag: int) -> tuple[int, ...]:
    found = tags.get(tag, ())
    return found if isinstance(found, tuple) else ()


def _directories(data: bytes) -> Iterator[dict[int, Any]]:
    """The tags of every directory, also those below others: numbers as tuples, texts as bytes."""
    order = _TIFF[data[:4]]
    due, seen = [*struct.unpack_from(order + "I", data.ljust(8, b"\0"), 4)], set[int]()
    while due and len(seen) < _MOST_DIRECTORIES:
        at = due.pop(0)
        if at in seen or at < 8 or at + 2 > len(data):
            continue
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        end = at + 2 + 12 * count
        tags = dict[int, Any]()
        for place in range(at + 2, min(end, at + 2 + 12 * _MOST_TAGS, len(data) - 11), 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, place)
            tags.setdefault(tag, _value(data, order, kind, number, place + 8))
        due += _numbers(tags, _SUB_DIRECTORIES)
        if end + 4 <= len(data):
            due += struct.unpack_from(order + "I", data, end)
        yield tags


def _value(data: bytes, order: str, kind: int, number: int, at: int) -> Any:
    """A tag's value; () where it lies elsewhere than in these bytes, or is long."""
    length = _SIZES.get(kind, 0) * number
    if length == 0 or number > 64:
        return ()
    if length > 4:
        (at,) = struct.unpack_from(order + "I", data, at)
    if at + length > len(data):
        return ()
    if kind in (2, 7):
        return data[at : at + length]
    letter = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}[kind]
    return struct.unpack_from(f"{order}{number}{letter}", data, at)


def developed(data: bytes, name: str, limits: Limits) -> tuple[Image.Image, tuple[int, int]]:
    """The picture of a raw file in RGB, sRGB and upright, with the camera's white balance.

    And its full width and height: the picture itself is half as large where it has 512 pixels or
    more along the shorter edge. Raises `ImageRefused` without the extra `raw`, and for a picture
    that is too large.
    """
    try:
        rawpy = importlib.import_module("rawpy")
    except ImportError as error:
        raise ImageRefused(
            f"looks like camera raw ({name}), which needs an extra: pip install 'lookalike[raw]'"
        ) from error
    try:
        return _developed(rawpy, data, limits)
    except rawpy.LibRawError as error:
        text = error.args[0] if error.args else error
        reason = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        raise ImageRefused(f"is camera raw ({name}) that cannot be read: {reason}") from error


def _developed(rawpy: Any, data: bytes, limits: Limits) -> tuple[Image.Image, tuple[int, int]]:
    with rawpy.RawPy() as raw:
        raw.open_buffer(io.BytesIO(data))
        sizes = raw.sizes
        width, height = sizes.width, sizes.height
        if max(width * height, sizes.raw_width * sizes.raw_height) > limits.max_pixels:
            raise ImageRefused(
                f"has {width} x {height} pixels, more than max_pixels={limits.max_pixels}"
            )
        if sizes.flip in (5, 6):
            width, height = height, width
        raw.unpack()
        half = min(width, height) >= _HALVED_EDGE
        pixels = raw.postprocess(
            use_camera_wb=True, half_size=half, output_color=rawpy.ColorSpace.sRGB, output_bps=8
        )
    return Image.fromarray(pixels), (width, height)
