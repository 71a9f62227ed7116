"""A part beside the pixels never costs the picture, whatever is wrong with it."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image

from shared.images import decode, thumbnail
from shared.side_chunks import without_side_chunks
from shared.types import PixelSpec
from tests.profiles import converted, rgb_profile
from tests.unit.test_images import encoded, scene

SPECS = [PixelSpec(size=16), PixelSpec(size=16, version=2)]
PROFILE = rgb_profile("display-p3")


def exif_bytes(turn: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    exif[ExifTags.Base.Make] = "Maker"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2021:03:04 05:06:07"
    return exif.tobytes()


def chunk(kind: bytes, content: bytes, *, damaged: bool = False) -> bytes:
    checked = kind + content
    return (
        struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked) ^ damaged)
    )


def png_with(*chunks: bytes, behind: bool = False, image: Image.Image | None = None) -> bytes:
    data = encoded(image or scene(48, 32))
    at = data.index(b"IEND" if behind else b"IDAT") - 4
    return data[:at] + b"".join(chunks) + data[at:]


def jpeg_with(marker: int, content: bytes) -> bytes:
    data = encoded(scene(48, 32), "JPEG", quality=95)
    return (
        data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + data[2:]
    )


def text(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


TOO_LARGE = {
    "text": chunk(b"tEXt", b"workflow\0" + b"x" * 3 * 2**20),
    "packed text": chunk(b"zTXt", b"workflow\0\0" + text(64 * 2**20)),
    "international text": chunk(b"iTXt", b"workflow\0\1\0\0\0" + text(64 * 2**20)),
    "profile": chunk(b"iCCP", b"profile\0\0" + text(64 * 2**20)),
    "place in XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text(64 * 2**20)),
    "EXIF as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + text(64 * 2**20)),
}


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_chunk_that_is_too_large_is_left_out(kind: str, behind: bool) -> None:
    found = decode(png_with(TOO_LARGE[kind], behind=behind), SPECS)
    for one, wanted in zip(found.pixels, decode(png_with(), SPECS).pixels, strict=True):
        np.testing.assert_array_equal(one, wanted)


PNG_CHUNKS = {
    b"tEXt": b"key\0text",
    b"zTXt": b"key\0\0" + text(200),
    b"iTXt": b"key\0\1\0\0\0" + text(200),
    b"iCCP": b"profile\0\0" + zlib.compress(PROFILE),
    b"eXIf": exif_bytes()[6:],
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": bytes(32),
    b"sRGB": b"\0",
    b"pHYs": bytes(9),
    b"tRNS": bytes(6),
    b"bKGD": bytes(6),
    b"tIME": bytes(7),
    b"sBIT": bytes(3),
    b"acTL": struct.pack(">II", 2, 0),
    b"fcTL": bytes(26),
    b"fdAT": bytes(30),
    b"prVt": b"private",
}
JPEG_SEGMENTS = {
    "JFIF": (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
    "EXIF": (0xE1, exif_bytes()),
    "XMP": (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='6'/>"),
    "ICC": (0xE2, b"ICC_PROFILE\0\1\1" + PROFILE),
    "MPF": (0xE2, b"MPF\0II*\0\x08\0\0\0\2\0\1\xb0\4\0\1\0\0\0\2\0\0\0" + bytes(40)),
    "Photoshop": (0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)),
    "Adobe": (0xEE, b"Adobe\0d\0\0\0\0\1"),
    "private": (0xE9, b"private"),
    "comment": (0xFE, b"comment"),
}


def mangled(content: bytes, source: random.Random) -> bytes:
    damaged = bytearray(content)
    match source.randrange(4):
        case 0:
            return bytes(damaged[: source.randrange(len(damaged) + 1)])
        case 1:
            return source.randbytes(len(damaged))
        case 2:
            return bytes(damaged) + source.randbytes(30)
    for _ in range(source.choice((1, 4, 20))):
        damaged[source.randrange(len(damaged))] = source.randrange(256)
    return bytes(damaged)


@pytest.mark.parametrize("kind", PNG_CHUNKS, ids=lambda kind: kind.decode())
def test_a_damaged_chunk_of_a_png_never_costs_it(kind: bytes) -> None:
    source = random.Random(kind)
    for _ in range(40):
        content = mangled(PNG_CHUNKS[kind], source)
        one = chunk(kind, content, damaged=source.random() < 0.5)
        assert decode(png_with(one, behind=source.random() < 0.3), SPECS).width in (32, 48)
    assert decode(png_with(chunk(kind, PNG_CHUNKS[kind], damaged=True)), SPECS).width == 48


@pytest.mark.parametrize("kind", JPEG_SEGMENTS)
def test_a_damaged_segment_of_a_jpeg_never_costs_it(kind: str) -> None:
    source, (marker, content) = random.Random(kind), JPEG_SEGMENTS[kind]
    for _ in range(80):
        kept = source.choice((0, 4, 5, 12))
        damaged = content[:kept] + mangled(content[kept:] or b"x", source)
        assert decode(jpeg_with(marker, damaged), SPECS).format == "JPEG"


@pytest.mark.parametrize(
    ("form", "part"),
    [
        *((form, part) for form in ("WEBP", "AVIF") for part in ("profile", "EXIF", "XMP")),
        ("TIFF", "profile"),  # its other tags say where its pixels lie
    ],
)
def test_a_damaged_part_of_another_format_never_costs_it(form: str, part: str) -> None:
    xmp = b"<x:xmpmeta tiff:Orientation='1' about='nothing'/>"
    options: dict[str, object] = {"exif": exif_bytes(), "xmp": xmp}
    if form == "TIFF":
        options = {}
    data = encoded(scene(48, 32), form, icc_profile=PROFILE, **options)
    start, length = {"profile": (PROFILE, len(PROFILE)), "EXIF": (b"Maker", 6), "XMP": (xmp, 40)}[
        part
    ]
    at, source = data.index(start), random.Random(form)
    if part == "EXIF":
        at, length = at - 50, 90
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(source.choice((1, 5, 40))):
            damaged[at + source.randrange(length)] = source.randrange(256)
        assert decode(bytes(damaged), SPECS).format == form


def test_what_tells_how_a_picture_looks_is_kept() -> None:
    """Beside a chunk that is left out, colour, transparency, turn and date stay."""
    image = converted(scene(48, 32), PROFILE).quantize(16)
    data = encoded(image, icc_profile=PROFILE, exif=exif_bytes(turn=6), transparency=3)
    at = data.index(b"IDAT") - 4
    broken = data[:at] + chunk(b"tEXt", b"Comment\0hello", damaged=True) + data[at:]
    found, wanted = decode(broken, SPECS), decode(data, SPECS)
    assert (found.width, found.height, found.taken_at) == (32, 48, "2021-03-04T05:06:07")
    for one, other in zip(found.pixels, wanted.pixels, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_jpeg_in_inks_stays_one_beside_a_damaged_segment() -> None:
    inks = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")
    broken = inks[:2] + b"\xff\xe0\0\6JFIF" + inks[2:]
    assert decode(broken, SPECS).pixels[0][8, 8].tolist() == pytest.approx([0, 255, 255], abs=4)


def test_critical_chunks_are_never_left_out() -> None:
    data = png_with(TOO_LARGE["text"])
    for bare in without_side_chunks(data):
        assert bare.count(b"IDAT") == data.count(b"IDAT")
        assert bare.endswith(data[-12:])
    assert without_side_chunks(b"GIF89a") == ()


@pytest.mark.parametrize(
    "repeated",
    [
        lambda: chunk(b"zTXt", b"Comment\0\0" + text(2**20)) * 3000,
        lambda: chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text(2**21)) * 3000,
        lambda: chunk(b"iCCP", b"profile\0\0" + text(2**21)) * 3000,
        lambda: chunk(b"tIME", b"") * 200_000,
    ],
)
def test_thousands_of_bombs_take_neither_time_nor_memory(repeated: Callable[[], bytes]) -> None:
    code = """
import resource, sys
from shared.images import decode
from shared.types import PixelSpec
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(decode(data, [PixelSpec(size=8, version=2)]).width)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=png_with(repeated()),
        capture_output=True,
        check=True,
        timeout=30,
    )
    width, grown_mib = map(float, done.stdout.split())
    assert width == 48
    assert grown_mib < 200


def test_a_thumbnail_is_made_as_well() -> None:
    assert thumbnail(png_with(TOO_LARGE["packed text"]), 16).size == (16, 11)
