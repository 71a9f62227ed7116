"""Odd pictures from Pillow's own tests (`tests/data/odd/LICENSE`), each with what must come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.errors import ImageRefused
from shared.images import decode, thumbnail
from shared.types import PixelSpec

FOLDER = Path(__file__).parent.parent / "data" / "odd"

# Format, width and height as shown, mean level over white ground.
DECODED = {
    "12bit.cropped.tif": ("TIFF", 100, 100, 0.4),
    "16bit.MM.deflate.tif": ("TIFF", 64, 64, 1.4),
    "apng__chunk_no_fctl.png": ("PNG", 128, 64, 85.0),
    "apng__mode_palette_alpha.png": ("PNG", 128, 64, 85.0),
    "frame_size.mpo": ("JPEG", 56, 70, 136.9),
    "g4_orientation_6.tif": ("TIFF", 590, 88, 226.6),
    "hopper_16bit_qtables.jpg": ("JPEG", 128, 128, 88.4),
    "hopper_gray_4bpp.tif": ("TIFF", 128, 128, 85.4),
    "hopper_orientation_5.jpg": ("JPEG", 128, 128, 88.4),
    "hopper_orientation_6.webp": ("WEBP", 128, 128, 88.5),
    "hopper_rle8_grayscale.bmp": ("BMP", 256, 10, 128.0),
    "i_trns.png": ("PNG", 64, 64, 34.8),
    "no_palette_with_transparency.gif": ("GIF", 2, 2, 128.0),
    "png_decompression_dos.png": ("PNG", 1, 1, 0.0),
    "rgb_trns.png": ("PNG", 64, 64, 155.7),
    "tRNS_null_1x1.png": ("PNG", 1, 1, 255.0),
}

REFUSED = {
    "bmp__b__badwidth.bmp": "more than max_pixels",
    "crash-86214e58da443d2b80820cff9677a38a33dcbbca.tif": "is damaged",
    "decompression_bomb.gif": "has 65535 x 66601 pixels, more than max_pixels",
    "seek_too_large.tif": "is damaged",
    "truncated_jpeg.jpg": "truncated",
}


def test_every_odd_file_has_an_expected_outcome() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*DECODED, *REFUSED, "LICENSE"}


@pytest.mark.parametrize("name", DECODED)
def test_odd_but_good(name: str) -> None:
    form, width, height, level = DECODED[name]
    data = (FOLDER / name).read_bytes()
    found = decode(data, [PixelSpec(size=32)])
    assert (found.format, found.width, found.height) == (form, width, height)
    assert found.pixels[0].mean() == pytest.approx(level, abs=1.5)
    assert thumbnail(data, 16).mode == "RGB"


@pytest.mark.parametrize("name", REFUSED)
def test_odd_and_bad(name: str) -> None:
    with pytest.raises(ImageRefused, match=REFUSED[name]):
        decode((FOLDER / name).read_bytes(), [PixelSpec(size=32)])


def test_two_turned_portraits_show_the_same_face() -> None:
    """One JPEG stored transposed, one WebP stored on its side: the same picture when upright."""
    spec = PixelSpec(size=16)
    one, other = (
        decode((FOLDER / name).read_bytes(), [spec]).pixels[0].astype(int)
        for name in ("hopper_orientation_5.jpg", "hopper_orientation_6.webp")
    )
    assert np.abs(one - other).mean() < 6
    assert np.abs(one - np.rot90(other)).mean() > 30
