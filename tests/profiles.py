"""ICC profiles built by hand: colour spaces of RGB, of grey, and of four inks."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Point = tuple[float, float]

D65: Point = (0.3127, 0.3290)
D50 = np.array([0.9642, 1.0, 0.8249])

PRIMARIES: dict[str, tuple[Point, Point, Point, Point, float]] = {
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65, 0),
    "display-p3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65, 0),
    "adobe-rgb": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, 2.19921875),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585), 1.8),
    "swapped": ((0.15, 0.06), (0.64, 0.33), (0.30, 0.60), D65, 0),
}
"""Chromaticities of red, green, blue and white, and gamma (0: the curve of sRGB)."""

INKS = {
    "C": (0, 174, 239),
    "M": (236, 0, 140),
    "Y": (255, 242, 0),
    "K": (35, 31, 32),
}
"""What each ink alone looks like on white paper, in sRGB."""


def rgb_profile(name: str) -> bytes:
    """The profile of one of `PRIMARIES`, by matrix and curve."""
    *colors, white, gamma = PRIMARIES[name]
    matrix = _to_d50(colors, white)
    curve = _srgb_curve() if gamma == 0 else _gamma(gamma)
    tags = {b"wtpt": _xyz(D50)}
    for letter, column in zip(b"rgb", matrix.T, strict=True):
        tags[bytes([letter]) + b"XYZ"] = _xyz(column)
        tags[bytes([letter]) + b"TRC"] = curve
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """A profile of grey."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)})


def ink_profile() -> bytes:
    """A printer's profile: the 16 overprints of `INKS`, and what lies between them."""
    labs = [_lab(overprint(amounts)) for amounts in itertools.product((0, 1), repeat=4)]
    identity = bytes(range(256))
    head = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2)
    matrix = struct.pack(
        ">9i", *(65536 * (row == column) for row in range(3) for column in range(3))
    )
    lut = head + matrix + identity * 4 + bytes(itertools.chain(*labs)) + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": lut})


def overprint(amounts: Sequence[int]) -> tuple[int, int, int]:
    """The colour in sRGB of inks laid over each other, each 0 or 1: C, M, Y, K."""
    seen = np.full(3, 255.0)
    for amount, ink in zip(amounts, INKS.values(), strict=True):
        if amount:
            seen *= np.array(ink) / 255
    red, green, blue = seen.round().astype(int).tolist()
    return red, green, blue


def converted(image: Image.Image, profile: bytes) -> Image.Image:
    """A picture in sRGB as the numbers that show the same under a profile."""
    found = ImageCms.profileToProfile(
        image,
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    if found is None:
        raise ValueError("littleCMS gave no picture")
    found.info = {}
    return found


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    struct.pack_into(
        ">I4sI4s4s4s", head, 0, at + len(body), b"lcms", 0x02400000, kind, space, connection
    )
    head[36:40] = b"acsp"
    head[68:80] = b"".join(map(_fixed, D50))
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


def _to_d50(colors: Sequence[Point], white: Point) -> NDArray[np.float64]:
    """Linear RGB to XYZ under D50 (Bradford)."""
    matrix = np.array([[x / y, 1, (1 - x - y) / y] for x, y in colors]).T
    wanted = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    matrix = matrix * np.linalg.solve(matrix, wanted)
    cone = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    adapted = np.linalg.inv(cone) @ np.diag((cone @ D50) / (cone @ wanted)) @ cone
    return np.asarray(adapted @ matrix)


def _lab(rgb: tuple[int, int, int]) -> bytes:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    pixel = np.asarray(transform.apply(Image.new("RGB", (1, 1), rgb))).reshape(3)
    # Pillow has a and b as signed bytes, a profile as unsigned ones around 128.
    return bytes([int(pixel[0]), int(pixel[1]) ^ 0x80, int(pixel[2]) ^ 0x80])


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _srgb_curve() -> bytes:
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, numbers))
