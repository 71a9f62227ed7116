"""Camera raw is never taken for its small preview: it is developed, or refused by name."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import ImageCms

from shared.camera_raw import raw_format
from shared.errors import ImageRefused
from shared.images import decode, pixels, thumbnail
from shared.reading import Limits
from shared.types import PixelSpec
from tests.raws import raw_file
from tests.unit.test_images import encoded, scene

SPEC = PixelSpec(size=16, version=2)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "DNG": ("DNG", {}),
    "big-endian DNG": ("DNG", {"order": ">"}),
    "DNG by its first directory": ("DNG", {"photometric": 2}),
    "Nikon": ("NEF", {"make": b"NIKON CORPORATION", "dng": False}),
    "Nikon, compressed": (
        "NEF",
        {"make": b"Nikon", "dng": False, "photometric": 1, "compression": 34713},
    ),
    "Sony": ("ARW", {"make": b"SONY", "dng": False}),
    "Pentax": ("RAW", {"make": b"PENTAX", "dng": False, "compression": 65535}),
    "linear": ("RAW", {"dng": False, "photometric": 34892}),
    "in the next directory": ("RAW", {"dng": False, "chained": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_file_is_known_by_its_tags(kind: str) -> None:
    name, options = KINDS[kind]
    assert raw_format(raw_file(scene(), **options)) == name


@pytest.mark.parametrize(
    ("begins", "name"),
    [
        (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "RAW"),
        (b"FUJIFILMCCD-RAW 0201", "RAW"),
        (b"IIRO\x08\0\0\0", "RAW"),
        (b"IIU\0\x18\0\0\0", "RAW"),
    ],
)
def test_a_raw_file_is_known_by_its_signature(begins: bytes, name: str) -> None:
    assert raw_format(begins + bytes(100)) == name


def _tiffs() -> dict[str, bytes]:
    tagged = io.BytesIO()
    scene().save(tagged, "TIFF", tiffinfo={271: "NIKON CORPORATION", 272: "NIKON D850"})
    pages = io.BytesIO()
    scene().save(pages, "TIFF", save_all=True, append_images=[scene(seed=2)])
    lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    ).apply(scene())
    return {
        "a camera's own TIFF": tagged.getvalue(),
        "pages": pages.getvalue(),
        "LZW": encoded(scene(), "TIFF", compression="tiff_lzw"),
        "JPEG inside": encoded(scene(), "TIFF", compression="jpeg"),
        "Lab": encoded(lab, "TIFF"),
        "inks": encoded(scene().convert("CMYK"), "TIFF"),
        "BigTIFF": encoded(scene(), "TIFF", big_tiff=True),
    }


@pytest.mark.parametrize("kind", _tiffs())
def test_other_tiff_files_are_none(kind: str) -> None:
    assert raw_format(_tiffs()[kind]) is None
    assert decode(_tiffs()[kind], [SPEC]).format == "TIFF"


def test_tags_that_make_no_sense_end() -> None:
    data, random = bytearray(raw_file(scene(32, 24), dng=False)), np.random.default_rng(1)
    for _ in range(500):
        damaged = data.copy()
        for place in random.integers(0, 2400, 20).tolist():
            damaged[place] = int(random.integers(256))
        assert raw_format(bytes(damaged[: random.integers(4, 5000)])) in (
            None,
            "DNG",
            "NEF",
            "ARW",
            "CR2",
            "RAW",
        )
    loop = bytearray(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")
    assert raw_format(bytes(loop)) is None


_WITHOUT = """
import sys
sys.modules["rawpy"] = None
from shared.errors import ImageRefused
from shared.images import decode
from shared.types import PixelSpec
try:
    decode(sys.stdin.buffer.read(), [PixelSpec()])
except ImageRefused as refused:
    print(refused)
"""


@pytest.mark.parametrize("kind", ["DNG", "Nikon", "Sony", "in the next directory"])
def test_without_the_extra_it_is_refused_with_what_to_install(kind: str) -> None:
    name, options = KINDS[kind]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT],
        input=raw_file(scene(), **options),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == (
        f"looks like camera raw ({name}), which needs an extra: pip install 'lookalike[raw]'"
    )


def _alike(one: Any, other: Any) -> float:
    """The correlation of two pictures' levels: a raw file has a brightness of its own."""
    return float(np.corrcoef(np.asarray(one).ravel(), np.asarray(other).ravel())[0, 1])


@pytest.mark.parametrize("size", [(640, 480), (1600, 1200)])
def test_with_the_extra_the_sensors_picture_is_seen(size: tuple[int, int]) -> None:
    pytest.importorskip("rawpy")
    data = raw_file(scene(*size))
    for version in (1, 2):
        spec = PixelSpec(size=32, version=version)
        found = decode(data, [spec])
        assert (found.format, found.width, found.height) == ("DNG", *size)
        assert found.taken_at == "2024-05-06T07:08:09"
        assert _alike(found.pixels[0], pixels(encoded(scene(*size)), spec)) > 0.9
    assert max(thumbnail(data, 320).size) == 320


def test_a_raw_file_that_libraw_cannot_read_is_refused_by_name() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageRefused, match=r"is camera raw \(DNG\) that cannot be read"):
        decode(raw_file(scene())[:3000], [SPEC])


def test_the_limit_of_pixels_holds_for_the_sensor() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageRefused, match=r"has 640 x 480 pixels, more than max_pixels=100000"):
        decode(raw_file(scene(640, 480)), [SPEC], Limits(max_pixels=100_000))
