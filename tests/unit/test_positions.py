"""Pictures without the place they were taken at: nothing of it stays, and the pixels do."""

from __future__ import annotations

import functools
import io
import itertools
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin, TiffImagePlugin

from searcher.service.positions import without_position
from shared.errors import ImageRefused
from shared.images import decode, thumbnail
from shared.reading import Limits
from shared.types import PixelSpec
from tests.pictures import scene
from tests.raws import raw_file

LIMITS = Limits(max_pixels=4_000_000)
NORTH, EAST = (52, 31, 12.3456), (13, 24, 7.891)
ORIENTATION, TAKEN, DATE = 274, 36867, "2024:05:06 07:08:09"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:%s="http://ns.example/1.0/">%s'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
TELLING_XMP = XMP % (b"exif", b"<exif:GPSLatitude>52,31.2057N</exif:GPSLatitude>")
WORDS = "GPSLatitude is 52,31.2057N: the location, a place"
"""In several words of which a single damaged one changes nothing."""
PLAIN_XMP = XMP % (b"xmp", b"<xmp:Rating>4</xmp:Rating>")
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def rationals(order: str, values: tuple[float, ...]) -> bytes:
    """As the EXIF of this order holds them."""
    pairs = [TiffImagePlugin.IFDRational(value).limit_rational(2**31 - 1) for value in values]
    return b"".join(struct.pack(order + "II", *pair) for pair in pairs)


COORDINATES = [rationals(order, values) for order in "<>" for values in (NORTH, EAST)] + [
    b"52,31.2057N"
]


def exif(*, order: str = "<", gps: bool = True, more: dict[int, Any] | None = None) -> Image.Exif:
    made = Image.Exif()
    made.endian = order
    made[ORIENTATION] = 6
    made[271] = "Maker of cameras"
    made[282] = 72.0
    for tag, value in (more or {}).items():
        made[tag] = value
    made.get_ifd(0x8769)[TAKEN] = DATE
    made.get_ifd(0x8769)[33434] = TiffImagePlugin.IFDRational(1, 250)
    if gps:
        made.get_ifd(0x8825).update({1: "N", 2: NORTH, 3: "E", 4: EAST, 29: "2024:05:06"})
    return made


def for_tiff(**options: Any) -> Image.Exif:
    """Pillow writes directories into a TIFF only in this shape."""
    found = exif(**options)
    for tag in (0x8769, 0x8825):
        if below := dict(found.get_ifd(tag)):
            found[tag] = below
    return found


def exif_bytes(**options: Any) -> bytes:
    return exif(**options).tobytes()


def made(form: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if "append_images" in options:  # Pillow leaves on a picture how it was saved the last time
        options["append_images"] = [one.copy() for one in options["append_images"]]
    (image or scene(1, (72, 48))).save(buffer, form, **options)
    return buffer.getvalue()


def png_with(*texts: tuple[str, str], **options: Any) -> bytes:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts:
        (info.add_itxt if keyword.startswith("XML") else info.add_text)(keyword, text)
    return made("PNG", pnginfo=info, **options)


@functools.cache
def telling() -> dict[str, bytes]:
    """Files of every format that Pillow writes with a position."""
    frames = [scene(number, (72, 48)) for number in (1, 2, 3)]
    several: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    upright_exif = exif(more={ORIENTATION: 1}).tobytes().hex()
    files = {
        "jpeg, XMP": made("JPEG", xmp=TELLING_XMP),
        "jpeg, comment": made("JPEG", comment=WORDS),
        "jpeg, progressive": made("JPEG", exif=exif_bytes(), progressive=True, icc_profile=ICC),
        "jpeg, grey": made("JPEG", frames[0].convert("L"), exif=exif_bytes()),
        "jpeg, cmyk": made("JPEG", frames[0].convert("CMYK"), exif=exif_bytes()),
        "jpeg, trailing": made("JPEG") + b"ftyp" + b"".join(COORDINATES),
        "mpo": made("MPO", frames[0], exif=exif_bytes(), **several),
        "png, XMP": png_with(("XML:com.adobe.xmp", TELLING_XMP.decode())),
        "png, raw profile": png_with(("Raw profile type exif", f"\nexif\n 9\n{upright_exif}")),
        "png, properties": png_with(("exif:GPSLatitude", "52,31.2057N")),
        "png, animated": made("PNG", exif=exif_bytes(), **several),
        "png, trailing": made("PNG") + b"".join(COORDINATES),
        "webp, XMP": made("WEBP", xmp=TELLING_XMP),
        "webp, animated": made("WEBP", exif=exif_bytes(), xmp=TELLING_XMP, **several),
        "gif, comment": made("GIF", comment=WORDS),
        "gif, XMP": gif_with_xmp(),
        "tiff, XMP": made("TIFF", tiffinfo={700: TELLING_XMP}),
        # Pillow cannot compress a TIFF and give it GPS, so that a description tells it here.
        "tiff, deflate": made("TIFF", tiffinfo={270: WORDS}, compression="tiff_deflate", **several),
        "tiff, jpeg": made("TIFF", tiffinfo={270: WORDS}, compression="jpeg"),
    }
    for order, form in itertools.product("<>", ("JPEG", "PNG", "WEBP", "TIFF")):
        options: dict[str, Any] = {"exif": exif(order=order), "icc_profile": ICC}
        if form == "TIFF":
            options |= {"exif": for_tiff(), "big_endian": order == ">"}
        files[f"{form.lower()} {order}"] = made(form, **options)
    # Pillow writes GPS before the others' values or after; here it comes first in the file too.
    files["jpeg, several"] = made("JPEG", exif=exif(more={305: "A program", 33432: "Me"}))
    return files


def gif_with_xmp() -> bytes:
    """As Adobe does it: the packet stands there unblocked, and a tail of 257 bytes ends it."""
    gif = made("GIF")
    tail = bytes([1, *range(255, -1, -1), 0])
    return gif[:-1] + b"!\xff\x0bXMP DataXMP" + TELLING_XMP + tail + gif[-1:]


NAMES = sorted(telling())


def frames(data: bytes) -> list[tuple[str, bytes]]:
    """Mode and pixels of every frame, untouched by orientation."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "MPO":
            return [(image.mode, image.tobytes())]
        return [(one.mode, one.tobytes()) for one in ImageSequence.Iterator(image)]


def upright(data: bytes) -> bytes:
    return thumbnail(data, 65_500, LIMITS).tobytes()


def assert_tells_nothing(data: bytes) -> None:
    """Looks at the bytes, not through the program's own parser."""
    for coordinate in COORDINATES:
        assert coordinate not in data
        assert coordinate.hex().encode() not in data
    # A tag 0x8825 with a type and a count of 1, in either order.
    assert not re.search(rb"\x25\x88[\x01-\x0d]\0\x01\0\0\0|\x88\x25\0[\x01-\x0d]\0\0\0\x01", data)
    assert b"GPS" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert not image.getexif().get_ifd(0x8825)


@pytest.mark.parametrize("name", NAMES)
def test_no_position_stays_and_no_pixel_changes(name: str) -> None:
    before = telling()[name]
    kept = bytes(bytearray(before))
    after = without_position(before, LIMITS)
    assert before == kept
    assert_tells_nothing(after.data)
    assert frames(after.data) == frames(before)[: len(frames(after.data))]
    assert len(frames(after.data)) == len(frames(before))
    assert upright(after.data) == upright(before)
    assert after.media_type == "image/" + {"mpo": "jpeg"}.get(name[:3], re.split("[ ,]", name)[0])
    assert without_position(after.data, LIMITS).data is after.data  # there is nothing more to do


@pytest.mark.parametrize(
    "name", [f"{form} {order}" for form in ("jpeg", "png", "webp", "tiff") for order in "<>"]
)
def test_orientation_date_and_profile_stay(name: str) -> None:
    before = telling()[name]
    after = without_position(before, LIMITS).data
    with Image.open(io.BytesIO(before)) as image:
        assert image.getexif().get_ifd(0x8825)[2] == pytest.approx(NORTH)
    with Image.open(io.BytesIO(after)) as image:
        found = image.getexif()
        assert found[ORIENTATION] == 6
        assert found[271] == "Maker of cameras"
        assert found.get_ifd(0x8769)[TAKEN] == DATE
        assert found.get_ifd(0x8769)[33434] == 1 / 250
        assert image.info["icc_profile"] == ICC
    seen = decode(after, [PixelSpec(size=8)])
    assert seen.taken_at == "2024-05-06T07:08:09"
    assert (seen.width, seen.height) == (48, 72)


def test_coded_pixels_of_a_jpeg_are_the_same_bytes() -> None:
    before = telling()["jpeg <"]
    after = without_position(before, LIMITS).data
    for data in (before, after):
        assert data.count(b"\xff\xda") == 1
    assert after[after.index(b"\xff\xdb") :] == before[before.index(b"\xff\xdb") :]
    assert len(after) == len(before)


@pytest.mark.parametrize(
    "data",
    [
        made("JPEG"),
        made("JPEG", progressive=True, restart_marker_rows=1, comment=b"made by hand"),
        made("JPEG", exif=exif_bytes(gps=False), icc_profile=ICC, xmp=PLAIN_XMP),
        made("JPEG", exif=exif_bytes(gps=False, order=">")),
        made("PNG", exif=exif_bytes(gps=False), icc_profile=ICC),
        png_with(("XML:com.adobe.xmp", PLAIN_XMP.decode()), ("Title", "A scene")),
        made("PNG", scene(1).quantize(16), transparency=0),
        made("WEBP"),
        made("WEBP", lossless=True),
        made("WEBP", exif=exif_bytes(gps=False), xmp=PLAIN_XMP, icc_profile=ICC),
        made("GIF", comment=b"A scene"),
        made("GIF", save_all=True, append_images=[scene(2, (72, 48))], loop=0),
        made("TIFF"),
        made("TIFF", exif=for_tiff(gps=False), icc_profile=ICC),
        made("TIFF", compression="tiff_lzw", icc_profile=ICC),
        made("TIFF", compression="jpeg"),
        made("BMP"),
    ],
)
def test_a_file_that_tells_nothing_comes_back_as_it_is(data: bytes) -> None:
    found = without_position(data, LIMITS)
    assert found.data is data
    assert found.media_type == Image.open(io.BytesIO(data)).get_format_mimetype()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@pytest.mark.parametrize(
    "inserted",
    [
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x5a\0\x05Paris"),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 40 + TELLING_XMP),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + TELLING_XMP.decode().encode("utf-16")),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<!DOCTYPE x [<!ENTITY a 'b'>]>" + PLAIN_XMP),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % (b"a", b"A" * 100)),
        segment(0xE1, b"something else"),
        segment(0xE2, b"MPF\0" + COORDINATES[0]),
        segment(0xE3, b"Meta\0\0" + COORDINATES[0]),
        segment(0xEB, b"JP\0\0jumb" + COORDINATES[0]),
        segment(0xE0, b"JFXX\0\x10" + COORDINATES[0]),
        segment(0xFE, COORDINATES[0]),
    ],
)
def test_segments_that_may_tell_a_place_are_left_out(inserted: bytes) -> None:
    plain = made("JPEG")
    assert without_position(plain[:2] + inserted + plain[2:], LIMITS).data == plain
    # Also behind the first tables, and between the scans.
    at = plain.index(b"\xff\xda")
    assert without_position(plain[:at] + inserted + plain[at:], LIMITS).data == plain


def tiff_block(entries: list[tuple[int, int, int, bytes]], rest: bytes = b"") -> bytes:
    """One little-endian directory and what its offsets point at, from byte 8 + 6 + 12 n on."""
    table = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + b"\0\0\0\0" + rest


def jpeg_with(block: bytes) -> bytes:
    plain = made("JPEG")
    return plain[:2] + segment(0xE1, b"Exif\0\0" + block) + plain[2:]


UPSIDE = (ORIENTATION, 3, 1, b"\x03\0\0\0")


@pytest.mark.parametrize(
    ("entry", "rest"),
    [
        ((37500, 7, 24, struct.pack("<I", 38)), COORDINATES[0]),  # a maker note
        ((33550, 12, 3, struct.pack("<I", 38)), COORDINATES[0]),  # GeoTIFF's scale
        ((700, 1, 24, struct.pack("<I", 38)), COORDINATES[0]),
        ((50000, 7, 24, struct.pack("<I", 38)), COORDINATES[0]),  # nobody's
        ((270, 2, 24, struct.pack("<I", 38)), b"GPS: 52,31.2057N 13,24.1"),
        ((270, 2, 24, struct.pack("<I", 38)), COORDINATES[0]),
        ((282, 5, 24, struct.pack("<I", 38)), COORDINATES[0] * 8),
        ((40092, 1, 24, struct.pack("<I", 38)), "GPS 52,31.20".encode("utf-16-le")),
        ((11, 2, 4, b"x\0\0\0"), COORDINATES[0]),  # nothing points there
    ],
)
def test_values_that_may_tell_a_place_become_zeros(
    entry: tuple[int, int, int, bytes], rest: bytes
) -> None:
    before = jpeg_with(tiff_block(sorted([UPSIDE, entry]), rest))
    after = without_position(before, LIMITS).data
    assert len(after) == len(before)
    assert after[after.index(b"Exif\0\0") + 6 :].startswith(
        tiff_block([UPSIDE])[:-4] + bytes(4 + 12 + len(rest))
    )
    assert upright(after) == upright(before)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0",
        tiff_block([])[:-1],
        b"II*\0" + struct.pack("<I", 2**31) + bytes(20),
        b"II*\0\x08\0\0\0\0\0\x08\0\0\0",  # the next directory is this one
        b"II*\0\x08\0\0\0\xff\xff",
        tiff_block([(34853, 4, 1, struct.pack("<I", 8))]),
        tiff_block([(34853, 4, 1, struct.pack("<I", 10_000))]),
        tiff_block([(34853, 4, 2, struct.pack("<I", 8))]),
        tiff_block([(34853, 4, 0, struct.pack("<I", 8))]),
        tiff_block([(34853, 2, 1, b"x\0\0\0")]),
        tiff_block([(34665, 4, 1, struct.pack("<I", 8))]),
        tiff_block([(270, 99, 1, b"x\0\0\0")]),
        tiff_block([(270, 2, 2**32 - 1, b"x\0\0\0")]),
        tiff_block([UPSIDE, UPSIDE]),
        tiff_block([(513, 4, 1, struct.pack("<I", 8))]),
        tiff_block([(513, 4, 1, b"\xff\xff\0\0"), (514, 4, 1, b"\xff\xff\0\0")]),
        # The description lies where the maker's note does.
        tiff_block(
            [(270, 2, 8, struct.pack("<I", 38)), (37500, 7, 8, struct.pack("<I", 40))],
            b"plain text",
        ),
    ],
)
def test_odd_exif_makes_a_rendition(block: bytes) -> None:
    before = jpeg_with(block)
    after = without_position(before, LIMITS)
    assert after.media_type == "image/jpeg"
    assert b"Exif" not in after.data
    assert after.data != before
    assert Image.open(io.BytesIO(after.data)).size == (72, 48)


def test_directories_by_the_thousand_are_no_work() -> None:
    """Each of 1,000 overlapping directories holds 1,000 entries."""
    entry = struct.pack("<HHI4s", 1000, 1, 1, bytes(4))
    block = tiff_block([]) + b"".join(struct.pack("<H", 1000) for _ in range(1000)) + entry * 1000
    assert without_position(jpeg_with(block), LIMITS).media_type == "image/jpeg"
    # Each of 3,000 directories lies below the one before it.
    nested = b"".join(
        struct.pack("<HHHIII", 1, 34665, 4, 1, 8 + 18 * (number + 1), 0) for number in range(3000)
    )
    block = b"II*\0\x08\0\0\0" + nested
    assert b"Exif" not in without_position(jpeg_with(block), LIMITS).data


def test_a_small_jpeg_in_the_exif_stays_unless_it_has_exif_itself() -> None:
    for small, stays in (
        (made("JPEG", scene(1, (72, 48)).resize((8, 8))), True),
        (jpeg_with(exif_bytes()), False),
    ):
        first = tiff_block([UPSIDE])
        second = struct.pack(
            "<HHHIIHHIIHHIII", 3, 259, 3, 1, 6, 513, 4, 1, len(first) + 42, 514, 4, 1, len(small), 0
        )
        block = first[:-4] + struct.pack("<I", len(first)) + second + small
        assert block.index(small) == len(first) + 42
        before = jpeg_with(block)
        after = without_position(before, LIMITS).data
        assert_tells_nothing(after)
        assert (after == before) is stays
        assert (small in after) is stays


def test_renditions_are_upright_whole_and_without_metadata() -> None:
    damaged = made(
        "JPEG", exif=exif_bytes(), icc_profile=ICC, xmp=TELLING_XMP, comment=b"GPS, and who I am"
    ).replace(b"II*\0\x08\0\0\0", b"II*\0\x09\0\0\0")
    found = without_position(damaged, LIMITS)
    assert found.media_type == "image/jpeg"
    assert_tells_nothing(found.data)
    for word in (b"Exif", b"adobe", b"who I am"):
        assert word not in found.data
    with Image.open(io.BytesIO(found.data)) as image:
        assert "icc_profile" not in image.info
        assert sorted(image.size) == [48, 72]


@pytest.mark.parametrize(
    "before",
    [
        png_with(("Raw profile type exif", f"\nexif\n 9\n{exif_bytes().hex()}")),
        made(
            "JPEG",
            xmp=TELLING_XMP.replace(b"<exif:", b"<tiff:Orientation>6</tiff:Orientation><exif:"),
        ),
    ],
)
def test_a_turn_that_is_told_beside_the_place_is_not_lost(before: bytes) -> None:
    after = without_position(before, LIMITS)
    assert after.media_type == "image/jpeg"
    assert_tells_nothing(after.data)
    with Image.open(io.BytesIO(after.data)) as image:
        assert image.size == (48, 72)


def test_heic_becomes_a_jpeg() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    before = made("HEIF", exif=exif_bytes())
    assert COORDINATES[0] in before
    after = without_position(before, LIMITS)
    assert after.media_type == "image/jpeg"
    assert_tells_nothing(after.data)
    with Image.open(io.BytesIO(after.data)) as image:
        assert image.size == decode_size(before)


@pytest.mark.parametrize("kind", ["AVIF", "camera raw"])
def test_what_nobody_can_clean_becomes_a_jpeg(kind: str) -> None:
    if kind == "AVIF":
        before = made("AVIF", exif=exif_bytes())
    else:
        pytest.importorskip("rawpy")
        before = raw_file(scene(1))
    after = without_position(before, LIMITS)
    assert after.media_type == "image/jpeg"
    assert_tells_nothing(after.data)
    assert b"MODEL" not in after.data


def decode_size(data: bytes) -> tuple[int, int]:
    found = decode(data, [])
    return found.width, found.height


def test_a_profile_for_other_colours_leaves_a_rendition_as_it_is() -> None:
    profile = ICC[:16] + b"CMYK" + ICC[20:]
    before = made("JPEG", scene(1).convert("CMYK"), icc_profile=profile)
    cut = before.replace(b"Adobe\0", b"Adobx\0")[:-2] + b"\xff\xd9"
    assert without_position(cut, LIMITS).media_type == "image/jpeg"
    odd = before[:2] + segment(0xE1, b"Exif\0\0") + before[2:]
    assert b"ICC_PROFILE" not in without_position(odd, LIMITS).data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7",
        b"<svg/>",
        b"\0\0\0\x18ftypheic" + bytes(30),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageRefused):
        without_position(data, LIMITS)


def test_too_many_pixels_are_refused_where_decoding_is_needed() -> None:
    odd = jpeg_with(b"")
    with pytest.raises(ImageRefused, match="max_pixels=100"):
        without_position(odd, Limits(max_pixels=100))


def test_strips_with_wrong_lengths_cost_no_pixels() -> None:
    """Decoders of plain pixels do not look at the lengths."""
    before = made("TIFF", exif=for_tiff())
    with Image.open(io.BytesIO(before)) as image:
        length = image.getexif()[279]
    whole = struct.pack("<HHII", 279, 4, 1, length)
    assert before.count(whole) == 1
    before = before.replace(whole, struct.pack("<HHII", 279, 4, 1, 100))
    after = without_position(before, LIMITS)
    assert after.media_type == "image/jpeg"
    assert_tells_nothing(after.data)
    seen = np.frombuffer(upright(after.data), np.uint8).astype(int)
    wanted = np.frombuffer(upright(before), np.uint8)
    assert abs(seen - wanted).mean() < 10


def outcome(data: bytes) -> bytes | None:
    try:
        return upright(data)
    except ImageRefused:
        return None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_never_brings_the_position_back(name: str, data: st.DataObject) -> None:
    whole = bytearray(telling()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        # What moves among the pixels of a TIFF or GIF is a pixel then.
        moves = () if name.startswith(("tiff", "gif")) else ("drop", "double")
        damage = data.draw(st.sampled_from(("byte", "bit", "cut", *moves)))
        if damage == "byte":
            whole[place] = data.draw(st.integers(0, 255))
        elif damage == "bit":
            whole[place] ^= 1 << data.draw(st.integers(0, 7))
        elif damage == "cut" and place:
            del whole[place:]
        elif damage == "drop":
            del whole[place : place + data.draw(st.integers(1, 8))]
        elif damage == "double":
            whole[place:place] = whole[place : place + data.draw(st.integers(1, 64))]
        if not whole:
            return
    before = bytes(whole)
    try:
        after = without_position(before, LIMITS)
    except ImageRefused:
        assert outcome(before) is None
        return
    for coordinate in COORDINATES:
        assert coordinate not in after.data
    if after.data[:4] == before[:4] and outcome(before) is not None:
        seen, wanted = outcome(after.data), outcome(before)
        assert seen is not None
        assert len(seen) == len(wanted or b"")


def test_every_single_damaged_byte_of_the_exif() -> None:
    """All of them, with three values each: what a random choice would hardly find."""
    before = telling()["jpeg <"]
    start = before.index(b"Exif\0\0")
    end = start + struct.unpack_from(">H", before, start - 2)[0] - 2
    for place, value in itertools.product(range(start, end), (0x00, 0x25, 0xFF)):
        if any(place in range(at, at + 24) for at in _places(before)):
            continue  # damage to the position itself is no damage to its hiding place
        damaged = before[:place] + bytes([value]) + before[place + 1 :]
        after = without_position(damaged, LIMITS)
        for coordinate in COORDINATES:
            assert coordinate not in after.data, place


def _places(data: bytes) -> list[int]:
    return [data.find(one) for one in COORDINATES if one in data]


def test_a_chunks_checksum_is_made_anew() -> None:
    after = without_position(telling()["png <"], LIMITS).data
    at = after.index(b"eXIf")
    (length,) = struct.unpack_from(">I", after, at - 4)
    wanted = zlib.crc32(after[at : at + 4 + length])
    assert struct.unpack_from(">I", after, at + 4 + length) == (wanted,)
