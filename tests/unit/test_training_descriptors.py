"""Patches, gradients and statistics of a picture, against NumPy and against the picture flipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.training.descriptors import (
    ORIENTATIONS,
    colour_cells,
    gradient_cells,
    mirrored_gradients,
    mirrored_order,
    of_unit_length,
    patches,
    places,
)
from indexer.training.statistics import PATCH_STATISTICS, fit_vocabularies, statistics
from shared.types import Pixels
from tests.progress import Silent

SIZE = 64

Blocks = dict[str, NDArray[np.float32]]


def scenes(count: int, seed: int) -> Pixels:
    """Smooth blobs of colour under some noise, none of them its own mirror image."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 4, 4, 3)).astype(np.float32)
    wide = coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    noisy = wide + random.normal(0, 12, wide.shape)
    found: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return found


@pytest.fixture(scope="module")
def model() -> Any:
    return statistics(SIZE, fit_vocabularies(scenes(10, 0), 0, Silent()))


def blocks(model: Any, pixels: Pixels) -> Blocks:
    found = model(pixels.astype(np.float32) / np.float32(255), training=False)
    return {name: rows.numpy() for name, rows in found.items()}


def test_the_flipped_picture_has_the_same_features(model: Any) -> None:
    pixels = scenes(6, 1)
    straight, flipped = blocks(model, pixels), blocks(model, pixels[:, :, ::-1])
    assert set(straight) == {*PATCH_STATISTICS, "layout"}
    for name, rows in straight.items():
        # Signed roots make rounding errors of numbers near zero larger.
        np.testing.assert_allclose(flipped[name], rows, atol=5e-4, err_msg=name)
        np.testing.assert_allclose((flipped[name] * rows).sum(1), (rows * rows).sum(1), rtol=1e-4)
        # Another picture is not the same, or equality would say nothing.
        assert np.abs(rows[0] - rows[1]).max() > 0.01, name


def test_fisher_vectors_have_their_length(model: Any) -> None:
    found = blocks(model, scenes(2, 2))
    for name, kind in PATCH_STATISTICS.items():
        assert found[name].shape == (2, 2 * kind.words * kind.dimensions)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 30), (128, 128, 128)])
def test_one_colour_has_finite_features(model: Any, colour: tuple[int, int, int]) -> None:
    flat = np.full((1, SIZE, SIZE, 3), colour, np.uint8)
    for name, rows in blocks(model, flat).items():
        assert np.isfinite(rows).all(), name


def test_a_grey_picture_has_features_of_its_edges(model: Any) -> None:
    grey = scenes(2, 3)[..., :1].repeat(3, axis=3)
    found = blocks(model, grey)
    for name, rows in found.items():
        assert np.isfinite(rows).all(), name
    assert np.linalg.norm(found["layout"], axis=1).min() > 0.5
    cells = colour_cells(grey.astype(np.float32) / np.float32(255), 4)
    np.testing.assert_allclose(np.asarray(cells)[..., 1:3], 0, atol=1e-6)


def test_vocabularies_follow_from_the_seed() -> None:
    pixels = scenes(4, 4)
    one, two = (fit_vocabularies(pixels, 5, Silent()) for _ in range(2))
    for name in PATCH_STATISTICS:
        np.testing.assert_array_equal(one[name].means, two[name].means)
        np.testing.assert_array_equal(one[name].basis, two[name].basis)


@pytest.mark.parametrize(("block", "step"), [(4, 1), (4, 2), (2, 2)])
def test_patches_are_those_of_a_plain_loop(block: int, step: int) -> None:
    cells = np.random.default_rng(0).permutation(2 * 8 * 8 * 3).reshape(2, 8, 8, 3)
    cells = cells.astype(np.float32)
    places = range(0, 8 - block + 1, step)
    wanted = [
        [cells[n, y : y + block, x : x + block].ravel() for y in places for x in places]
        for n in range(2)
    ]
    found = np.asarray(patches(cells, block=block, step=step))
    assert found.shape == (2, len(places) ** 2, block * block * 3)
    # Every number occurs once, so a row's sorted numbers name its cells; their order is free.
    np.testing.assert_array_equal(np.sort(found, axis=2), np.sort(np.array(wanted), axis=2))
    order = np.argsort(found[0, 0])
    wanted_order = np.argsort(wanted[0][0])
    np.testing.assert_array_equal(found[..., order], np.array(wanted)[..., wanted_order])


@pytest.mark.parametrize(("block", "step"), [(4, 1), (4, 2), (2, 2)])
def test_a_mirrored_order_turns_patches_into_those_of_the_flipped_picture(
    block: int, step: int
) -> None:
    cells = np.random.default_rng(1).random((1, 8, 8, 3), np.float32)
    swapped = [2, 1, 0]
    order = mirrored_order(swapped, block=block, step=step)
    straight = np.asarray(patches(cells, block=block, step=step))
    flipped = np.asarray(patches(cells[:, :, ::-1][..., swapped], block=block, step=step))
    edge = round(straight.shape[1] ** 0.5)
    by_place = straight[0].reshape(edge, edge, -1)[:, ::-1].reshape(edge * edge, -1)
    np.testing.assert_array_equal(by_place[:, order], flipped[0])


def test_places_are_row_and_column_of_the_patch() -> None:
    line = [-0.4, 0.0, 0.4]
    wanted = [[y, x] for y in line for x in line]
    np.testing.assert_allclose(places(9, 0.8), wanted, atol=1e-6)
    rows = np.ones((2, 9, 4), np.float32)
    found = PATCH_STATISTICS["shapes"].with_places(rows)
    np.testing.assert_array_equal(found[..., :4], rows)
    extent = PATCH_STATISTICS["shapes"].extent
    np.testing.assert_array_equal(found[..., 4:], [places(9, extent)] * 2)


def by_pixels(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """(h, w, 6) of one picture: each pixel's gradient, shared out, in plain NumPy."""
    grey = np.pad(picture.astype(np.float64) @ [0.299, 0.587, 0.114], 1, mode="symmetric")
    across, down = grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1]
    length, heading = np.hypot(across, down), np.arctan2(down, across)
    angles = np.arange(ORIENTATIONS) * 2 * np.pi / ORIENTATIONS
    share: NDArray[np.float64] = np.cos(heading[..., None] - angles).clip(0) ** 4
    return share * length[..., None]


@pytest.mark.parametrize("cell", [2, 4, 8])
def test_gradient_cells_are_means_of_what_pixels_have(cell: int) -> None:
    picture = scenes(1, 6).astype(np.float32) / np.float32(255)
    edge = SIZE // cell
    wanted = by_pixels(picture[0]).reshape(edge, cell, edge, cell, -1).mean(axis=(1, 3))
    np.testing.assert_allclose(gradient_cells(picture, cell)[0], wanted, atol=1e-5)


def test_faint_rows_stay_shorter_than_lively_ones() -> None:
    rows = np.array([[[3.0, 4.0], [0.03, 0.04], [0.0, 0.0]]], np.float32)
    length = np.linalg.norm(np.asarray(of_unit_length(rows)), axis=2)[0]
    np.testing.assert_allclose(length, [5 / 5.05, 0.5, 0], atol=1e-4)


@pytest.mark.parametrize(("left", "right", "direction"), [(0.0, 1.0, 0), (1.0, 0.0, 3)])
def test_a_vertical_edge_runs_across(left: float, right: float, direction: int) -> None:
    picture = np.full((1, 16, 16, 3), left, np.float32)
    picture[:, :, 8:] = right
    found = np.asarray(gradient_cells(picture, 2))[0]
    lively = found.sum(axis=2) > 1e-3
    assert lively[:, 3:5].all()
    assert lively.sum() == 2 * 8
    assert (found[:, 3:5].argmax(axis=2) == direction).all()
    # One of a cell's two columns of pixels lies at the edge.
    np.testing.assert_allclose(found[:, 3:5, direction], 1 / 2, atol=1e-4)
    # cos^4 of 60 degrees goes to each neighbour, nothing to the other half of the circle.
    beside = [(direction + 1) % ORIENTATIONS, (direction - 1) % ORIENTATIONS]
    np.testing.assert_allclose(found[:, 3:5, beside], 0.0625 / 2, atol=1e-4)
    assert found[..., (direction + 3) % ORIENTATIONS].max() < 1e-5


def test_cells_mirror_as_pictures_do() -> None:
    picture = scenes(3, 5).astype(np.float32) / np.float32(255)
    flipped = np.ascontiguousarray(picture[:, :, ::-1])
    for cell in (2, 4):
        np.testing.assert_allclose(
            mirrored_gradients(gradient_cells(picture, cell)),
            gradient_cells(flipped, cell),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            np.asarray(colour_cells(picture, cell))[:, :, ::-1],
            colour_cells(flipped, cell),
            atol=1e-3,
        )
