"""What `shared.images` promises about good pictures: pixels, size, format, date and hashes."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image

from shared.formats import PILLOW
from shared.images import decode, jpeg_bytes, pixels, thumbnail
from shared.reading import content_hash
from shared.types import Pixels, PixelSpec

TWO = PixelSpec(size=2, filter="box", ground=(0, 0, 0))


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def flat(rgb: NDArray[Any] | list[Any]) -> Image.Image:
    return Image.fromarray(np.asarray(rgb, dtype=np.uint8))


def scene(width: int = 240, height: int = 160, *, seed: int = 1) -> Image.Image:
    """A picture with soft shapes, as photographs have: noise of 8 x 8 points, enlarged."""
    levels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC)


def apart(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_the_list_of_formats_is_explicit() -> None:
    assert set(PILLOW) == {"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"}


@pytest.mark.parametrize("form", PILLOW)
def test_every_format_gives_its_name_its_size_and_its_pixels(form: str) -> None:
    picture = scene(64, 48)
    found = decode(encoded(picture, form), [PixelSpec(size=16)])
    assert (found.format, found.width, found.height) == (form, 64, 48)
    assert apart(found.pixels[0], pixels(encoded(picture), PixelSpec(size=16))) < 6


# A 2 x 2 picture whose corners differ, as EXIF stores it so that a person sees [[R, G], [B, W]].
_R, _G, _B, _W = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
STORED = {
    1: [[_R, _G], [_B, _W]],
    2: [[_G, _R], [_W, _B]],
    3: [[_W, _B], [_G, _R]],
    4: [[_B, _W], [_R, _G]],
    5: [[_R, _B], [_G, _W]],
    6: [[_G, _W], [_R, _B]],
    7: [[_W, _G], [_B, _R]],
    8: [[_B, _R], [_W, _G]],
}


@pytest.mark.parametrize("turn", STORED)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_orientation_shows_what_a_person_sees(form: str, turn: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    data = encoded(flat(STORED[turn]), form, exif=exif, lossless=True)
    assert pixels(data, TWO).tolist() == [[list(_R), list(_G)], [list(_B), list(_W)]]


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_orientation_may_stand_in_xmp(form: str) -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    options = {"xmp": xmp} if form == "JPEG" else {"tiffinfo": {700: xmp}}
    found = decode(encoded(scene(60, 40), form, **options), [TWO])
    assert (found.width, found.height) == (40, 60)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("fit", ["stretch", "cover", "contain"])
def test_a_turned_jpeg_has_the_pixels_and_size_of_the_upright_one(turn: int, fit: Any) -> None:
    upright = scene(90, 61)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(turn, turn)  # what undoes each turn
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    operation = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(back)
    stored = upright if operation is None else upright.transpose(operation)
    spec = PixelSpec(size=16, fit=fit)
    turned = decode(encoded(stored, "JPEG", quality=95, exif=exif), [spec])
    plain = decode(encoded(upright, "JPEG", quality=95), [spec])
    assert (turned.width, turned.height) == (90, 61)
    assert apart(turned.pixels[0], plain.pixels[0]) < 2
    assert bits_apart(turned.phash, plain.phash) <= 4


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_passed_over(value: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    data = encoded(flat(STORED[1]), exif=exif)
    assert pixels(data, TWO)[0, 0].tolist() == list(_R)


# Rows of a picture of 4 x 2: stretch averages pairs of columns, cover keeps columns 1 and 2,
# contain halves the whole into one row and lays it on the ground.
WIDE = [[[0] * 3, [10] * 3, [20] * 3, [30] * 3], [[100] * 3, [110] * 3, [120] * 3, [130] * 3]]


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("stretch", [[5, 25], [105, 125]]),
        ("cover", [[10, 20], [110, 120]]),
        ("contain", [[55, 75], [200, 200]]),
    ],
)
def test_fit_by_hand(fit: Any, expected: list[list[int]]) -> None:
    spec = PixelSpec(size=2, fit=fit, filter="box", ground=(200, 200, 200))
    assert pixels(encoded(flat(WIDE)), spec)[..., 0].tolist() == expected


def test_contain_centres_a_tall_picture_between_equal_margins() -> None:
    spec = PixelSpec(size=4, fit="contain", filter="box", ground=(1, 2, 3))
    found = pixels(encoded(flat(np.full((8, 4, 3), 90))), spec)
    assert found[0].tolist() == [[1, 2, 3], [90] * 3, [90] * 3, [1, 2, 3]]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
@pytest.mark.parametrize("fit", ["stretch", "cover", "contain"])
def test_extreme_shapes_fill_the_square(size: tuple[int, int], fit: Any) -> None:
    found = pixels(encoded(Image.new("RGB", size, (7, 8, 9))), PixelSpec(size=8, fit=fit))
    assert found.shape == (8, 8, 3)
    assert (found == [7, 8, 9]).all(axis=2).any()


def test_filters_differ_and_each_is_known() -> None:
    data = encoded(scene())
    found = [
        pixels(data, PixelSpec(size=16, filter=name)).tobytes()
        for name in ("box", "bilinear", "hamming", "bicubic", "lanczos")
    ]
    assert len(set(found)) == 5


def test_pixels_are_uint8_contiguous_and_read_only() -> None:
    for spec in (PixelSpec(size=16), PixelSpec(size=16, fit="contain")):
        found = pixels(encoded(scene()), spec)
        assert found.dtype == np.uint8
        assert found.shape == (16, 16, 3)
        assert found.flags.c_contiguous
        assert not found.flags.writeable


def test_the_callers_bytes_are_untouched() -> None:
    data = encoded(scene(), "JPEG")
    before = bytes(bytearray(data))
    decode(data, [PixelSpec()])
    thumbnail(data, 32)
    assert data == before


def test_draft_changes_pixels_a_little_and_reads_a_smaller_picture() -> None:
    data = encoded(scene(1024, 768), "JPEG", quality=90)
    with_draft = pixels(data, PixelSpec(size=64, draft=True))
    without = pixels(data, PixelSpec(size=64, draft=False))
    assert 0 < apart(with_draft, without) < 2


@pytest.mark.parametrize("draft", [True, False])
def test_a_spec_gives_the_same_pixels_whatever_else_is_asked_for(draft: bool) -> None:
    """Index and query agree even while two encoders are filled side by side."""
    data = encoded(scene(1600, 1200), "JPEG", quality=90)
    specs = [
        PixelSpec(size=64, draft=draft),
        PixelSpec(size=200),
        PixelSpec(size=32, draft=False),
        PixelSpec(size=64, fit="cover"),
    ]
    together = decode(data, specs)
    for spec, found in zip(specs, together.pixels, strict=True):
        np.testing.assert_array_equal(found, decode(data, [spec]).pixels[0])
    assert bits_apart(together.phash, decode(data, []).phash) <= 4


def test_a_spec_that_shares_is_made_from_what_is_loaded_already() -> None:
    data = encoded(scene(1600, 1200), "JPEG", quality=90)
    shares, larger, smaller = (
        PixelSpec(size=64, filter="box", shares=True),
        PixelSpec(size=200),
        PixelSpec(size=32),
    )
    alone = decode(data, [PixelSpec(size=64, filter="box")]).pixels[0]
    np.testing.assert_array_equal(decode(data, [shares]).pixels[0], alone)
    # From a smaller one nothing can be made.
    np.testing.assert_array_equal(decode(data, [smaller, shares]).pixels[1], alone)
    first, shared = decode(data, [larger, shares]).pixels
    np.testing.assert_array_equal(first, decode(data, [larger]).pixels[0])
    assert 0 < apart(shared, alone) < 1


def test_what_identifies_an_encoder_does_not_know_of_sharing() -> None:
    assert "shares" not in PixelSpec(size=8).to_json()
    shares = PixelSpec(size=8, shares=True)
    assert PixelSpec.from_json(shares.to_json()) == shares


def test_no_spec_still_gives_the_facts() -> None:
    found = decode(encoded(scene()), [])
    assert found.pixels == ()
    assert (found.width, found.height, len(found.phash)) == (240, 160, 16)


def test_pixels_reads_a_file_as_it_reads_bytes(tmp_path: Any) -> None:
    file = tmp_path / "picture.jpg"
    file.write_bytes(encoded(scene(), "JPEG"))
    for source in (file, str(file)):
        np.testing.assert_array_equal(
            pixels(source, PixelSpec()), pixels(file.read_bytes(), PixelSpec())
        )


def test_taken_at_is_exif_date_time_original() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "a camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2021:03:04 05:06:07"
    for form in ("JPEG", "WEBP", "PNG"):
        assert decode(encoded(scene(), form, exif=exif), []).taken_at == "2021-03-04T05:06:07"


def test_taken_at_of_a_tiff() -> None:
    """Put together by hand: Pillow writes no EXIF directory into a TIFF."""

    def directory(*entries: tuple[int, int, int, int]) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + packed + bytes(4)

    date = b"2021:03:04 05:06:07\0"
    inner = 8 + 2 + 12 * 10 + 4  # where the EXIF directory lies: behind the first one
    text = inner + 2 + 12 + 4
    first = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    first += [(273, 4, 1, text), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1)]
    first += [(ExifTags.IFD.Exif, 4, 1, inner)]
    exif = directory((ExifTags.Base.DateTimeOriginal, 2, len(date), text))
    data = b"II*\0" + struct.pack("<I", 8) + directory(*first) + exif + date
    assert decode(data, []).taken_at == "2021-03-04T05:06:07"


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "yesterday", "2021:13:01 00:00:00", " "])
def test_a_date_that_is_none_is_no_date(text: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = text
    assert decode(encoded(scene(), "JPEG", exif=exif), []).taken_at is None


@pytest.mark.parametrize("end", ["", " ", "  "])
def test_cameras_pad_dates_with_spaces(end: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2021:03:04 05:06:07{end}"
    assert decode(encoded(scene(), "JPEG", exif=exif), []).taken_at == "2021-03-04T05:06:07"


def test_no_exif_is_no_date() -> None:
    assert decode(encoded(scene()), []).taken_at is None


def test_damaged_exif_costs_the_date_but_not_the_picture() -> None:
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f nonsense")
    found = decode(data, [TWO])
    assert (found.width, found.taken_at) == (240, None)


def test_content_hash_is_sha256() -> None:
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content_hash(b"abc") == expected
    data = encoded(scene())
    assert decode(data, []).sha256 == content_hash(data)


def test_perceptual_hash_survives_encoding_and_resizing_but_tells_pictures_apart() -> None:
    original = decode(encoded(scene()), []).phash
    for copy in (
        encoded(scene(), "JPEG", quality=60),
        encoded(scene(), "WEBP", quality=60),
        encoded(scene().resize((120, 80), Image.Resampling.LANCZOS)),
        encoded(scene().resize((700, 500), Image.Resampling.LANCZOS), "JPEG"),
    ):
        assert bits_apart(original, decode(copy, []).phash) <= 6
    others = [decode(encoded(scene(seed=seed)), []).phash for seed in range(2, 12)]
    assert min(bits_apart(original, other) for other in others) >= 16


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_a_flat_picture_has_no_frequencies_but_its_level(level: int) -> None:
    """Without rounding, the arithmetic's noise would draw 63 bits at random."""
    expected = "0000000000000000" if level == 0 else "8000000000000000"
    assert decode(encoded(Image.new("L", (50, 40), level)), []).phash == expected


def test_perceptual_hash_by_hand() -> None:
    """Left half white: along a row only odd frequencies, of signs + - + -; down, none."""
    half = np.zeros((32, 32), np.uint8)
    half[:, :16] = 255
    assert decode(encoded(Image.fromarray(half)), []).phash == "c4" + "00" * 7


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 40), height=st.integers(1, 40), size=st.integers(1, 20), data=st.data())
def test_a_flat_picture_stays_flat(width: int, height: int, size: int, data: Any) -> None:
    color = data.draw(st.tuples(*[st.integers(0, 255)] * 3))
    fit = data.draw(st.sampled_from(["stretch", "cover", "contain"]))
    spec = PixelSpec(size=size, fit=fit, ground=color)
    assert (pixels(encoded(Image.new("RGB", (width, height), color)), spec) == color).all()


def test_thumbnail_is_upright_rgb_on_white_and_fits() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    small = thumbnail(encoded(scene(400, 200), "JPEG", exif=exif), 100)
    assert (small.mode, small.size) == ("RGB", (50, 100))
    clear = Image.new("RGBA", (300, 300), (9, 9, 9, 0))
    clear.paste((9, 9, 9, 255), (0, 0, 100, 300))
    assert (np.asarray(thumbnail(encoded(clear), 30))[:, 12:] == 255).all()


def test_thumbnail_does_not_enlarge() -> None:
    assert thumbnail(encoded(scene(20, 10)), 100).size == (20, 10)


def test_jpeg_bytes_are_a_jpeg_of_the_picture() -> None:
    data = jpeg_bytes(scene(), quality=95)
    assert decode(data, []).format == "JPEG"
    assert apart(pixels(data, PixelSpec()), pixels(encoded(scene()), PixelSpec())) < 3
