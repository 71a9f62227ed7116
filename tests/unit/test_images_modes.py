"""Every colour mode gives the picture that a person sees, worked by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from shared.errors import ImageRefused
from shared.images import decode, pixels
from shared.reading import Limits
from shared.types import PixelSpec

GROUND = (10, 60, 200)
SPEC = PixelSpec(size=2, filter="box", ground=GROUND)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def levels(data: bytes, spec: PixelSpec = SPEC) -> list[list[int]]:
    """The level of each pixel of a picture that must come out grey."""
    found = pixels(data, spec)
    assert (found == found[..., :1]).all()
    return found[..., 0].tolist()  # type: ignore[no-any-return]


def png(bits: int, color: int, rows: list[bytes], *, clear: bytes | None = None) -> bytes:
    """A PNG of 2 x len(rows), put together by hand; `clear` is its tRNS chunk."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 2, len(rows), bits, color, 0, 0, 0)
    transparency = b"" if clear is None else chunk(b"tRNS", clear)
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparency + body + chunk(b"IEND", b"")


def test_sixteen_bit_grey_png_is_scaled_not_clipped() -> None:
    rows = [struct.pack(">2H", 0, 0x40FF), struct.pack(">2H", 0x8000, 0xFFFF)]
    assert levels(png(16, 0, rows)) == [[0, 0x40], [0x80, 0xFF]]


def test_sixteen_bit_grey_png_with_a_transparent_level() -> None:
    rows = [struct.pack(">2H", 0x4000, 0x4001)] * 2
    found = pixels(png(16, 0, rows, clear=struct.pack(">H", 0x4000)), SPEC)
    assert found[0].tolist() == [list(GROUND), [0x40] * 3]


def test_sixteen_bit_rgb_png() -> None:
    rows = [struct.pack(">6H", 0xFF00, 0, 0x8000, 0, 0x1234, 0)] * 2
    assert pixels(png(16, 2, rows), SPEC)[0].tolist() == [[0xFF, 0, 0x80], [0, 0x12, 0]]


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_sixteen_bit_tiff_in_both_byte_orders(mode: str) -> None:
    order = "<" if mode == "I;16" else ">"
    image = Image.frombytes(mode, (2, 2), struct.pack(f"{order}4H", 0, 0x40FF, 0x8000, 0xFFFF))
    data = encoded(image, "TIFF")
    assert data[:2] == (b"II" if mode == "I;16" else b"MM")
    assert levels(data) == [[0, 0x40], [0x80, 0xFF]]


def test_sixteen_bit_tiff_whose_white_is_zero() -> None:
    image = Image.frombytes("I;16", (2, 2), struct.pack("<4H", 0, 0x40FF, 0x8000, 0xFFFF))
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 0
    data = encoded(image, "TIFF", tiffinfo=info)
    with Image.open(io.BytesIO(data)) as written:
        assert written.tag_v2[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] == 0  # type: ignore[attr-defined]
    assert levels(data) == [[255, 255 - 0x40], [255 - 0x80, 0]]


def test_twelve_bit_tiff() -> None:
    """By hand, for Pillow writes none: 2 x 2 of 0, 0x40F, 0x800 and 0xFFF, packed."""
    body = bytes.fromhex("00040f 800fff")
    tags = [(256, 4, 2), (257, 4, 2), (258, 3, 12), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8 + 2 + 12 * 9 + 4), (277, 3, 1), (278, 4, 2), (279, 4, len(body))]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + packed + bytes(4) + body
    assert levels(data) == [[0, 0x40], [0x80, 0xFF]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.2, 0.6, 1.0], [0, 51, 153, 255]),  # fractions
        ([0.0, 51.0, 153.0, 255.0], [0, 51, 153, 255]),  # levels of 8 bits
        ([0.0, 13107.0, 39321.0, 65535.0], [0, 51, 153, 255]),  # levels of 16 bits
        ([-1.0, -0.6, 0.2, 1.0], [0, 51, 153, 255]),  # anything else: by its extremes
        ([-3.0, -3.0, -3.0, -3.0], [0, 0, 0, 0]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array(values, np.float32).reshape(2, 2))
    assert levels(encoded(image, "TIFF")) == [expected[:2], expected[2:]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3])
def test_a_float_tiff_without_numbers_is_refused(bad: float, place: int) -> None:
    values = np.zeros(4, np.float32)
    values[place] = bad
    with pytest.raises(ImageRefused, match="not numbers"):
        pixels(encoded(Image.fromarray(values.reshape(2, 2)), "TIFF"), SPEC)


def test_32_bit_integers() -> None:
    values = np.array([[0, 13107], [39321, 65535]], np.int32)
    assert levels(encoded(Image.fromarray(values), "TIFF")) == [[0, 51], [153, 255]]


def test_wide_values_are_scaled_alike_in_every_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.modes._STRIP_PIXELS", 5)
    values = np.linspace(-5, 5, 16, dtype=np.float32).reshape(4, 4)
    found = levels(encoded(Image.fromarray(values), "TIFF"), PixelSpec(size=4, filter="box"))
    assert found == [[17 * (4 * row + step) for step in range(4)] for row in range(4)]


def test_cmyk_jpeg() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    red = pixels(encoded(image, "JPEG", quality=100), SPEC)
    assert (np.abs(red.astype(int) - [255, 0, 0]) <= 3).all()


def test_palette_png() -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    found = pixels(encoded(image), SPEC)
    assert found.tolist() == [[[255, 0, 0], [0, 255, 0]], [[255, 0, 0], [255, 0, 0]]]
    clear = pixels(encoded(image, transparency=1), SPEC)
    assert clear[0].tolist() == [[255, 0, 0], list(GROUND)]
    half = pixels(encoded(image, transparency=bytes([255, 51])), SPEC)
    assert half[0, 1].tolist() == [8, 99, 160]  # a fifth green, four fifths ground


def test_alpha_lies_on_the_ground() -> None:
    grey = Image.new("LA", (2, 2), (110, 51))
    assert pixels(encoded(grey), SPEC)[0, 0].tolist() == [30, 70, 182]  # (110 + 4 * ground) / 5
    color = Image.new("RGBA", (2, 2), (110, 10, 0, 51))
    assert pixels(encoded(color), SPEC)[0, 0].tolist() == [30, 50, 160]


def test_the_color_under_full_transparency_does_not_bleed() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (2, 0, 4, 4))
    assert pixels(encoded(image), PixelSpec(size=1, filter="box", ground=(0, 0, 0))).max() == 0


def test_transparent_color_of_rgb_and_grey() -> None:
    image = Image.new("RGB", (2, 2), (1, 2, 3))
    image.putpixel((1, 0), (200, 0, 0))
    found = pixels(encoded(image, transparency=(1, 2, 3)), SPEC)
    assert found[0].tolist() == [list(GROUND), [200, 0, 0]]
    grey = Image.new("L", (2, 2), 5)
    assert (pixels(encoded(grey, transparency=5), SPEC) == GROUND).all()


def test_one_bit() -> None:
    image = Image.new("1", (2, 2), 0)
    image.putpixel((0, 0), 1)
    for form in ("PNG", "TIFF", "BMP"):
        assert levels(encoded(image, form)) == [[255, 0], [0, 0]]
    clear = pixels(encoded(image, transparency=0), SPEC)
    assert clear[0].tolist() == [[255] * 3, list(GROUND)]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(form: str) -> None:
    red, blue = (Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255)))
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(red, form, save_all=True, append_images=[blue], **options)
    with Image.open(io.BytesIO(data)) as written:
        assert written.n_frames == 2  # type: ignore[attr-defined]
    assert (pixels(data, SPEC) == [255, 0, 0]).all()


def test_gif_transparency() -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    found = pixels(encoded(image, "GIF", transparency=0), SPEC)
    assert found[0].tolist() == [list(GROUND), [0, 255, 0]]


def test_mpo_is_reported_as_jpeg_and_shows_its_first_picture() -> None:
    red, blue = (Image.new("RGB", (16, 16), color) for color in ((255, 0, 0), (0, 0, 255)))
    data = encoded(red, "MPO", save_all=True, append_images=[blue])
    with Image.open(io.BytesIO(data)) as written:
        assert written.format == "MPO"
    found = decode(data, [SPEC])
    assert found.format == "JPEG"
    assert (np.abs(found.pixels[0].astype(int) - [255, 0, 0]) <= 3).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpegs_of_every_kind_with_draft(mode: str, options: dict[str, Any]) -> None:
    ramp = Image.linear_gradient("L").resize((600, 600)).convert(mode)
    data = encoded(ramp, "JPEG", quality=90, **options)
    found = levels_near(pixels(data, PixelSpec(size=4, filter="box")))
    assert found == pytest.approx([32, 96, 160, 223], abs=3)


def levels_near(found: np.ndarray[Any, Any]) -> list[float]:
    """The mean level of each row."""
    return found.mean(axis=(1, 2)).tolist()  # type: ignore[no-any-return]


def test_webp_may_have_half_the_pixels() -> None:
    image = Image.new("RGB", (20, 10))
    assert decode(encoded(image, "WEBP"), [], Limits(max_pixels=400)).width == 20
    with pytest.raises(ImageRefused, match="max_pixels=399 allows for WebP"):
        decode(encoded(image, "WEBP"), [], Limits(max_pixels=399))
    assert decode(encoded(image), [], Limits(max_pixels=200)).width == 20
