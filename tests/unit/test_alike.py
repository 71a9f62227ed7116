"""Whether one picture was made from another, by their pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from searcher.duplicates.alignment import aligned, moved, shrunk
from searcher.duplicates.alike import Small, agreement
from searcher.duplicates.block_moments import BlockMoments, Light
from searcher.duplicates.small_pictures import small
from shared.reading import Limits
from tests.pictures import cropped, encoded, scene, stamped


def seen(image: Image.Image, **options: int) -> Small:
    found = small(encoded(image, **options), Limits())
    assert found is not None
    return found


def test_a_small_picture_is_read_by_the_version_that_wrote_it_alone() -> None:
    packed = seen(scene(1)).to_bytes()
    found = Small.of_bytes(packed)
    assert found is not None
    assert found.distance(seen(scene(1))) == 0
    for version in (0, 1, 3):
        assert Small.of_bytes(bytes([version]) + packed[1:]) is None


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded": lambda image: image,
    "halved": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped": cropped,
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "stamped": stamped,
    "stamped and cropped": lambda image: stamped(cropped(image, 0.03)),
}


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("seed", range(4))
def test_an_altered_copy_agrees_both_ways(name: str, seed: int) -> None:
    original = scene(seed)
    first, second = seen(original), seen(ALTERED[name](original), quality=60)
    assert agreement([first, second], [second, first]).min() >= 0.93


def test_other_pictures_do_not_agree() -> None:
    pictures = [seen(scene(seed)) for seed in range(12)]
    pairs = [(a, b) for a in pictures for b in pictures if a is not b]
    assert agreement([a for a, _ in pairs], [b for _, b in pairs]).max() < 0.5


def test_another_colour_is_another_picture() -> None:
    image = scene(1)
    red, green, blue = image.split()
    assert agreement([seen(image)], [seen(Image.merge("RGB", (blue, red, green)))])[0] < 0.5


def test_a_mirrored_or_much_cropped_picture_is_no_altered_copy() -> None:
    image = scene(2)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert agreement([seen(image)] * 2, [seen(mirrored), seen(cropped(image, 0.2))]).max() < 0.5


def test_of_plain_pictures_nothing_can_be_said() -> None:
    plain = seen(Image.new("RGB", (100, 80), (90, 90, 90)))
    assert np.isnan(agreement([plain], [plain])).all()
    assert agreement([plain], [seen(scene(0))])[0] == 0


def test_a_stamp_may_not_be_most_of_what_there_is() -> None:
    ground = Image.new("RGB", (160, 160), (200, 200, 200))
    first, second = ground.copy(), ground.copy()
    first.paste(scene(1, (90, 55)), (70, 105))
    second.paste(scene(2, (90, 55)), (70, 105))
    assert not agreement([seen(first)], [seen(second)])[0] >= 0.5


def test_small_pictures_are_compared_by_what_they_show() -> None:
    image = scene(3).resize((32, 24))
    first, second = seen(image, quality=95), seen(image.resize((16, 12)), quality=95)
    assert (seen(scene(3)).detail, first.detail, second.detail) == (64, 32, 16)
    assert agreement([first], [second])[0] >= 0.8


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 0 pictures"):
        agreement([seen(scene(0))], [])
    assert agreement([], []).shape == (0,)


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.12, 0.12), st.floats(-0.05, 0.05), st.floats(-0.12, 0.12))
def test_a_known_shift_is_found_again(growth_x: float, shift_x: float, growth_y: float) -> None:
    picture = np.stack([seen(scene(5)).grey]).astype(np.float32)
    wanted = np.array([[growth_x, shift_x, growth_y, 0.02]], np.float32)
    target, _ = moved(picture, wanted)
    found = np.zeros((1, 4), np.float32)
    for edge, rounds in ((16, 6), (32, 6), (64, 6)):
        found = aligned(shrunk(picture, edge), shrunk(target, edge), found, rounds)
    assert np.abs(found - wanted).max() < 0.02


def test_not_moving_changes_nothing() -> None:
    picture = np.stack([seen(scene(6)).grey]).astype(np.float32)
    over, inside = moved(picture, np.zeros((1, 4), np.float32))
    assert inside.all()
    np.testing.assert_allclose(over, picture, atol=1e-3)


def test_light_is_found_though_a_quarter_is_covered() -> None:
    first = np.stack([seen(scene(7)).grey]).astype(np.float32)
    second = 1.2 * first + 10
    second[:, :32, :32] = 0
    moments = BlockMoments.of(first, second, np.ones(first.shape, np.bool_))
    light = moments.light()
    assert (light.gain.item(), light.bias.item()) == pytest.approx((1.2, 10), abs=0.05 * 10)
    assert light.gain.item() == pytest.approx(1.2, abs=0.02)
    rest, off, _ = moments.unlike(Light(np.float32([[1.2]]), np.float32([[10.0]])))
    white = (1.2 * first + 10).max() > 255
    covered = np.zeros((8, 8), np.bool_)
    covered[:4, :4] = True
    clear = ~covered.ravel()
    assert rest[0, clear].max() < 0.1
    assert white or np.abs(off[0, clear]).max() < 0.1
