"""Pixels of version 2: the colours of an embedded profile are those that a browser shows."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.images import decode, pixels, thumbnail
from shared.types import PixelSpec
from tests.profiles import INKS, PRIMARIES, converted, grey_profile, ink_profile, rgb_profile
from tests.unit.test_images import apart, bits_apart, encoded, scene

NEW = PixelSpec(size=32, version=2)
OLD = PixelSpec(size=32)
FORMS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
}
PROFILES = [name for name in PRIMARIES if name != "srgb"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_shows_the_same_picture(name: str, form: str) -> None:
    profile = rgb_profile(name)
    stored = converted(scene(), profile)
    data = encoded(stored, form, icc_profile=profile, **FORMS[form])
    plain = encoded(scene())
    assert apart(pixels(data, NEW), pixels(plain, NEW)) < 2
    assert apart(pixels(data, OLD), pixels(plain, OLD)) > 3
    assert apart(np.asarray(thumbnail(data, 100)), np.asarray(thumbnail(plain, 100))) < 2.5
    found, wanted = decode(data, []), decode(plain, [])
    assert bits_apart(found.phash, wanted.phash) <= 4


def test_the_old_hash_is_of_the_numbers_as_they_are() -> None:
    profile = rgb_profile("swapped")
    stored = converted(scene(), profile)
    found, bare = decode(encoded(stored, icc_profile=profile), []), decode(encoded(stored), [])
    assert found.old_phash == bare.old_phash == bare.phash
    assert bits_apart(found.phash, found.old_phash) > 8


def test_version_1_never_looks_at_a_profile() -> None:
    data, bare = (
        encoded(scene(), icc_profile=profile) for profile in (rgb_profile("swapped"), None)
    )
    np.testing.assert_array_equal(pixels(data, OLD), pixels(bare, OLD))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_profile_of_srgb_changes_nothing(form: str) -> None:
    data, bare = encoded(scene(), form, icc_profile=rgb_profile("srgb")), encoded(scene(), form)
    np.testing.assert_array_equal(pixels(data, NEW), pixels(bare, NEW))
    np.testing.assert_array_equal(pixels(bare, NEW), pixels(bare, OLD))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_colours_with_transparency_and_palettes_are_converted(mode: str) -> None:
    profile = rgb_profile("prophoto")
    plain, stored = scene().quantize(64).convert("RGB"), None
    stored = converted(plain, profile)
    if mode == "RGBA":
        for one in (plain, stored):
            one.putalpha(128)
        shown = Image.blend(Image.new("RGB", plain.size, "white"), plain.convert("RGB"), 128 / 255)
    else:
        stored, shown = stored.quantize(256), plain
    data = encoded(stored, icc_profile=profile)
    assert apart(pixels(data, NEW), pixels(encoded(shown), NEW)) < 3


def test_grey_follows_its_curve() -> None:
    grey = Image.new("L", (8, 8), 128)
    linear = encoded(grey, icc_profile=grey_profile(1.0))
    assert pixels(linear, NEW)[0, 0].tolist() == pytest.approx([188] * 3, abs=1)  # IEC 61966-2-1
    assert pixels(linear, OLD)[0, 0].tolist() == [128] * 3
    nearly = encoded(grey, icc_profile=grey_profile(2.2))
    assert pixels(nearly, NEW)[0, 0].tolist() == pytest.approx([128] * 3, abs=2)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_look_as_their_profile_says(form: str) -> None:
    """A JPEG of Adobe's keeps its inks inverted, a TIFF does not."""
    for number, wanted in enumerate(INKS.values()):
        amounts = [0, 0, 0, 0]
        amounts[number] = 255
        picture = Image.new("CMYK", (16, 16), tuple(amounts))
        with_profile = encoded(picture, form, icc_profile=ink_profile())
        assert pixels(with_profile, NEW)[8, 8].tolist() == pytest.approx(list(wanted), abs=6)
        bare = encoded(picture, form)
        np.testing.assert_array_equal(pixels(bare, NEW), pixels(bare, OLD))
        np.testing.assert_array_equal(pixels(with_profile, OLD), pixels(bare, OLD))
    paper = encoded(Image.new("CMYK", (16, 16)), form, icc_profile=ink_profile())
    assert pixels(paper, NEW).min() >= 253


def test_a_jpeg_in_inks_is_decoded_at_a_fraction_of_its_size() -> None:
    wide = Image.new("CMYK", (2000, 1500), (255, 0, 0, 0))
    data = encoded(wide, "JPEG", icc_profile=ink_profile())
    found = decode(data, [NEW, OLD])
    assert (found.width, found.height) == (2000, 1500)
    assert found.pixels[0][3, 3].tolist() == pytest.approx(list(INKS["C"]), abs=6)
    assert found.pixels[1][3, 3].tolist() == pytest.approx([0, 255, 255], abs=6)


def _damaged() -> dict[str, bytes]:
    good, random = rgb_profile("display-p3"), np.random.default_rng(3)
    noise = random.integers(0, 256, 3000, dtype=np.uint8).tobytes()
    return {
        "noise": noise,
        "short": good[:140],
        "header alone": good[:128],
        "text": b"not a profile at all",
        "tags beyond the end": good[:128] + struct.pack(">I", 2**31) + good[132:],
        "noise behind a header": good[:128] + noise,
        "of inks": ink_profile(),
        "of grey": grey_profile(1.0),
        "a device link": good[:12] + b"link" + good[16:],
        "huge": good + bytes(5 * 2**20),
    }


@pytest.mark.parametrize("kind", _damaged())
def test_a_profile_that_cannot_be_used_costs_its_colours_only(kind: str) -> None:
    data = encoded(scene(), "JPEG", icc_profile=_damaged()[kind])
    bare = encoded(scene(), "JPEG")
    np.testing.assert_array_equal(pixels(data, NEW), pixels(bare, NEW))
    assert thumbnail(data, 50).size == (50, 33)


def test_profiles_with_flipped_bytes_never_raise() -> None:
    random, good = np.random.default_rng(5), rgb_profile("display-p3")
    for _ in range(150):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), 6).tolist():
            damaged[place] = int(random.integers(256))
        data = encoded(scene(24, 16), icc_profile=bytes(damaged))
        assert pixels(data, NEW).shape == (32, 32, 3)


def test_a_thumbnail_carries_no_profile() -> None:
    small = thumbnail(encoded(scene(), icc_profile=rgb_profile("display-p3")), 50)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    with Image.open(buffer) as image:
        assert "icc_profile" not in image.info
