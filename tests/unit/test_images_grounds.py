"""Pixels of version 2: a transparent picture is laid on a ground that shows it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from searcher.duplicates.small_pictures import same_pixels
from shared.grounds import DARK, LIGHT, ground_for
from shared.images import decode, pixels, thumbnail
from shared.reading import Limits
from shared.types import PixelSpec
from tests.unit.test_images import apart, bits_apart, encoded, scene

NEW = PixelSpec(size=64, version=2)
WHITE, BLACK, CREAM, NAVY = (255, 255, 255), (0, 0, 0), (255, 250, 220), (10, 20, 80)
RGB = tuple[int, int, int]


def drawing(seed: int, *colors: RGB, width: int = 5) -> Image.Image:
    """Outlines on transparent ground, in colours by turns."""
    random, image = np.random.default_rng(seed), Image.new("RGBA", (200, 160), (*colors[0], 0))
    draw = ImageDraw.Draw(image)
    for number in range(6):
        x, y, w, h = random.integers(5, 130, 4).tolist()
        shape = draw.ellipse if seed % 2 else draw.rectangle
        box = (x, y, x + w // 2 + 10, y + h // 2 + 10)
        shape(box, outline=(*colors[number % len(colors)], 255), width=width)
    return image


@pytest.mark.parametrize(
    ("colors", "ground"),
    [
        ([WHITE], DARK),
        ([CREAM], DARK),
        ([(230, 230, 230)], DARK),
        ([WHITE, BLACK], DARK),
        ([BLACK], LIGHT),
        ([NAVY], LIGHT),
        ([(64, 64, 64)], LIGHT),
        ([(128, 128, 128)], LIGHT),
        ([(200, 40, 40)], LIGHT),
    ],
)
def test_the_ground_is_the_one_on_which_less_vanishes(colors: list[RGB], ground: RGB) -> None:
    for mode in ("RGBA", "LA"):
        assert ground_for(drawing(1, *colors).convert(mode)) == ground


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("colors", [[WHITE], [BLACK], [CREAM], [WHITE, BLACK]])
def test_drawings_of_one_colour_can_be_told_apart(form: str, colors: list[RGB]) -> None:
    options = {"TIFF": {}, "PNG": {}, "AVIF": {"quality": 90}}.get(form, {"lossless": True})
    files = [encoded(drawing(seed, *colors), form, **options) for seed in range(6)]
    found = [decode(data, [NEW]) for data in files]
    small = [np.asarray(thumbnail(data, 160)) for data in files]
    for one in range(6):
        assert found[one].pixels[0].std() > 15
        for other in range(one):
            assert apart(found[one].pixels[0], found[other].pixels[0]) > 5
            assert bits_apart(found[one].phash, found[other].phash) > 6
            assert apart(small[one], small[other]) > 5
            assert not same_pixels(files[one], files[other], Limits())


def test_white_drawings_were_all_alike_in_version_1() -> None:
    old = PixelSpec(size=64)
    first, second = (pixels(encoded(drawing(seed, WHITE)), old) for seed in range(2))
    np.testing.assert_array_equal(first, second)


def test_faint_pixels_count_by_their_alpha() -> None:
    image = Image.new("RGBA", (40, 40), (*WHITE, 20))
    image.paste((*BLACK, 255), (0, 0, 40, 10))
    assert ground_for(image) == LIGHT
    image.paste((*WHITE, 255), (0, 10, 40, 40))
    assert ground_for(image) == DARK


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_an_alpha_channel_that_hides_all_is_no_transparency(form: str) -> None:
    hidden = scene().convert("RGBA")
    hidden.putalpha(0)
    options = {"exact": True, "lossless": True} if form == "WEBP" else {}
    data = encoded(hidden, form, **options)
    assert apart(pixels(data, NEW), pixels(encoded(scene()), NEW)) < 4
    other = encoded(scene(seed=2).convert("RGBA"))
    assert not same_pixels(data, other, Limits())


def test_contain_pads_with_the_pictures_own_ground() -> None:
    spec = PixelSpec(size=8, fit="contain", filter="box", version=2)
    for color, ground in ((WHITE, DARK), (BLACK, LIGHT)):
        image = Image.new("RGBA", (80, 40), (*color, 255))
        image.paste((0, 0, 0, 0), (40, 0, 80, 40))
        found = pixels(encoded(image), spec)
        assert found[0, 0].tolist() == found[4, 7].tolist() == list(ground)
        assert found[4, 0].tolist() == list(color)
    opaque = pixels(encoded(Image.new("RGB", (80, 40), WHITE)), spec)
    assert (opaque == 255).all()


def test_a_specs_own_ground_is_the_light_one() -> None:
    blue = (120, 160, 250)
    spec = PixelSpec(size=8, fit="contain", filter="box", ground=blue, version=2)
    image = Image.new("RGBA", (80, 40), (*WHITE, 255))
    image.paste((0, 0, 0, 0), (40, 0, 80, 40))
    assert pixels(encoded(image), spec)[4, 7].tolist() == list(blue)
    image.paste((*blue, 255), (0, 0, 40, 40))
    assert pixels(encoded(image), spec)[4, 7].tolist() == list(DARK)


def test_a_picture_whose_alpha_hides_nothing_is_opaque() -> None:
    spec = PixelSpec(size=8, fit="contain", version=2)
    for mode in ("RGB", "RGBA", "L", "LA"):
        assert (pixels(encoded(Image.new("RGB", (80, 40), WHITE).convert(mode)), spec) == 255).all()


def test_the_same_picture_with_other_transparency_is_not_the_same() -> None:
    clear = drawing(3, BLACK)
    laid = Image.new("RGBA", clear.size, (*WHITE, 255))
    laid.alpha_composite(clear)
    np.testing.assert_array_equal(pixels(encoded(clear), NEW), pixels(encoded(laid), NEW))
    assert not same_pixels(encoded(clear), encoded(laid), Limits())
    assert same_pixels(encoded(clear), encoded(clear, "WEBP", lossless=True), Limits())
    assert same_pixels(encoded(laid), encoded(laid.convert("RGB"), "TIFF"), Limits())
