"""HEIC, which needs the `heic` extra; the developers' installation has it."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from shared.images import decode
from shared.types import PixelSpec


def _heic(orientation: int = 1) -> bytes:
    """Left half red, right half blue, and an EXIF orientation."""
    picture = Image.new("RGB", (64, 32), (200, 20, 20))
    picture.paste((20, 20, 200), (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    heif = pillow_heif.from_pillow(picture)
    heif.save(buffer, quality=95, exif=exif.tobytes())
    return buffer.getvalue()


def test_a_heic_file_is_decoded() -> None:
    found = decode(_heic(), [PixelSpec(size=16)])
    assert (found.format, found.width, found.height) == ("HEIC", 64, 32)
    pixels = found.pixels[0]
    np.testing.assert_allclose(pixels[8, 3], (200, 20, 20), atol=12)
    np.testing.assert_allclose(pixels[8, 12], (20, 20, 200), atol=12)


def test_a_turned_heic_file_is_seen_upright() -> None:
    found = decode(_heic(orientation=6), [PixelSpec(size=16)])
    assert (found.width, found.height) == (32, 64)
    pixels = found.pixels[0]
    np.testing.assert_allclose(pixels[3, 8], (200, 20, 20), atol=12)
    np.testing.assert_allclose(pixels[12, 8], (20, 20, 200), atol=12)


_WITHOUT = """
import sys
sys.modules["pillow_heif"] = None
from shared.errors import ImageRefused
from shared.images import decode
from shared.types import PixelSpec
try:
    decode(sys.stdin.buffer.read(), [PixelSpec()])
except ImageRefused as refused:
    print(refused)
"""


def test_without_the_extra_the_remedy_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT], input=_heic(), capture_output=True, check=True
    )
    assert "pip install 'lookalike[heic]'" in done.stdout.decode()


@pytest.mark.parametrize("brand", [b"isom", b"qt  ", b"avif"])
def test_other_files_of_the_same_family_are_not_images_here(brand: bytes) -> None:
    data = b"\x00\x00\x00\x18ftyp" + brand + b"\x00" * 100
    with pytest.raises(Exception, match="is not an image that can be read"):
        decode(data, [PixelSpec()])


def test_the_library_is_not_loaded_for_anything_else() -> None:
    code = "import shared.images, sys; print('pillow_heif' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
