"""Files that are no good pictures, or barely: bombs, truncations, flipped bits, pretenders."""

from __future__ import annotations

import io
import random
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

ODD = Path(__file__).parent.parent / "data" / "odd"
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def noise(edge: int) -> Image.Image:
    """Levels of a seed."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (edge, edge, 3), np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_odd_pictures(folder: Path) -> set[str]:
    """All of them in one folder; the names of those that must be refused."""
    must_refuse = {
        *_bombs(folder),
        *_pretenders(folder),
        *_truncations(folder),
    }
    _text_bombs(folder)
    _flipped_bits(folder, random.Random(33))
    _at_the_limit(folder)
    for path in ODD.iterdir():
        shutil.copy(path, folder / path.name)
    return must_refuse


def _write(folder: Path, files: dict[str, bytes]) -> set[str]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return set(files)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def _bombs(folder: Path) -> set[str]:
    """A few kilobytes each that claim or unpack to hundreds of megapixels, in six formats."""
    wide, high = 16_000, 12_500
    bits = Image.new("1", (wide, high))
    jpeg = bytearray(encoded(Image.new("L", (8, 8)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    gif = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    bmp = bytearray(encoded(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    return _write(
        folder,
        {
            "bomb.png": encoded(bits, "PNG"),
            "bomb.tif": encoded(bits, "TIFF", compression="group4"),
            "bomb.webp": encoded(Image.new("RGB", (16_000, 4_000)), "WEBP", lossless=True),
            "bomb.jpg": bytes(jpeg),
            "bomb.gif": bytes(gif),
            "bomb.bmp": bytes(bmp),
        },
    )


def _text_bombs(folder: Path) -> None:
    """A text of 64 MiB in 64 KiB, in both kinds of compressed chunk; the picture itself is good."""
    text = zlib.compress(bytes(64 * 2**20), 9)
    data = encoded(noise(16), "PNG")
    at = data.index(b"IDAT") - 4
    for name, chunk in (
        ("ztxt", _chunk(b"zTXt", b"Comment\0\0" + text)),
        ("itxt", _chunk(b"iTXt", b"Comment\0\1\0\0\0" + text)),
        ("iccp", _chunk(b"iCCP", b"profile\0\0" + text)),
    ):
        (folder / f"text-{name}.png").write_bytes(data[:at] + chunk * 4 + data[at:])
    many = PngImagePlugin.PngInfo()
    for number in range(2_000):
        many.add_text(f"key {number}", "x" * 10_000, zip=True)
    noise(16).save(folder / "text-many.png", pnginfo=many)


def _pretenders(folder: Path) -> set[str]:
    return _write(
        folder,
        {
            "empty.jpg": b"",
            "empty.png": b"",
            "page.jpg": b"<!doctype html><title>404</title><p>Not found",
            "script.png": b"#!/bin/sh\nexit 0\n",
            "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
            "zeros.gif": bytes(4096),
        },
    )


def _truncations(folder: Path) -> set[str]:
    """One JPEG cut at every length; at its end only a marker may be missing."""
    data = encoded(noise(12), "JPEG", quality=30)
    for length in range(1, len(data)):
        (folder / f"cut-{length:04}.jpg").write_bytes(data[:length])
    return {f"cut-{length:04}.jpg" for length in range(1, len(data) - 2)}


def _flipped_bits(folder: Path, source: random.Random) -> None:
    for kind in FORMATS:
        data = encoded(noise(24), kind)
        for number in range(25):
            damaged = bytearray(data)
            for _ in range(source.choice((1, 1, 4, 16))):
                end = len(data) if source.random() < 0.5 else min(64, len(data))
                damaged[source.randrange(end)] ^= 1 << source.randrange(8)
            (folder / f"flipped-{number:02}.{kind.lower()}").write_bytes(bytes(damaged))


def _at_the_limit(folder: Path) -> None:
    """The largest that are decoded, in the modes that cost most memory."""
    palette = Image.new("P", (12_500, 7_990), 1)
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.save(folder / "large.png", transparency=0, compress_level=1)
    palette.save(folder / "large.gif", transparency=0)
