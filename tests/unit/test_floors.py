"""The floors against plain NumPy and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from shared.floors import (
    Pca,
    color_histograms,
    fit_floors,
    gradient_histograms,
    ranked,
    raw_pixels,
)


def test_a_histogram_by_hand() -> None:
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    picture[0, 0, 0] = (255, 31, 32)  # bins 7, 0, 1
    (row,) = color_histograms(picture)
    assert row.shape == (512,)
    assert row[0] == pytest.approx(np.sqrt(3 / 4))
    assert row[7 * 64 + 0 * 8 + 1] == pytest.approx(np.sqrt(1 / 4))
    assert np.linalg.norm(row) == pytest.approx(1)


def test_pca_spans_what_an_exact_decomposition_spans() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (40, 6, 6, 3), np.uint8)
    pca = Pca.fit(pictures, 10)
    flat = pictures.reshape(40, -1) / 255
    centred = flat - flat.mean(axis=0)
    exact = np.linalg.svd(centred, full_matrices=False)[2][:10]
    assert pca.mean == pytest.approx(flat.mean(axis=0), abs=1e-6)
    assert np.abs(pca.components @ exact.T) == pytest.approx(np.eye(10), abs=1e-3)
    wanted = centred @ exact.T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    rows = pca.project(pictures)
    assert rows @ rows.T == pytest.approx(wanted @ wanted.T, abs=1e-3)


def test_pca_of_more_pictures_than_it_samples_is_near_enough() -> None:
    rng = np.random.default_rng(1)
    directions = rng.standard_normal((5, 12 * 12 * 3))
    flat = 128 + 12 * rng.standard_normal((200, 5)) @ directions + rng.normal(0, 1, (200, 432))
    pictures = np.clip(flat, 0, 255).astype(np.uint8).reshape(200, 12, 12, 3)
    exact = np.linalg.svd(pictures.reshape(200, -1) / 255.0 - Pca.fit(pictures).mean)[2][:5]
    found = Pca.fit(pictures, 5).components
    assert np.linalg.svd(found @ exact.T)[1] == pytest.approx(np.ones(5), abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_or_equal_pictures_give_few_components(count: int) -> None:
    pictures = np.full((count, 4, 4, 3), 77, np.uint8)
    pca = Pca.fit(pictures)
    assert pca.components.shape == (0, 48)
    assert pca.project(pictures).shape == (count, 0)
    assert pca.project(pictures[:0]).shape == (0, 0)


def test_ranking_leaves_the_query_itself_out() -> None:
    points = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    own = np.array([0, -1])
    assert ranked(points[[0, 0]], points, own, 5) == [[1, 2], [0, 1, 2]]
    assert ranked(points[[0, 0]], points, own, 1) == [[1], [0]]


def test_gradient_histogram_by_hand() -> None:
    picture = np.zeros((1, 8, 8, 3), np.uint8)
    picture[0, :, 1:] = 90  # one upright edge: the gradient points right, 90 / 1 and 90 / 2
    (row,) = gradient_histograms(picture)
    assert row.shape == (144,)
    # It lies in the left column of cells, two rows of pixels each, in the first orientation.
    assert np.flatnonzero(row).tolist() == [0, 36, 72, 108]
    assert row[[0, 36, 72, 108]] == pytest.approx([0.5] * 4)
    turned = gradient_histograms(picture.transpose(0, 2, 1, 3))[0]
    assert np.flatnonzero(turned).tolist() == [4, 13, 22, 31]  # 90 degrees is in the fifth of nine


def test_gradients_do_not_mind_contrast_or_the_sign_of_an_edge() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 100, (1, 16, 16, 3), np.uint8)
    row = gradient_histograms(picture)
    assert gradient_histograms(picture * 2) == pytest.approx(row, abs=1e-6)
    assert gradient_histograms(255 - picture) == pytest.approx(row, abs=1e-6)
    assert not gradient_histograms(np.full((1, 16, 16, 3), 7, np.uint8)).any()


def test_raw_pixels_are_the_pixels() -> None:
    picture = np.zeros((2, 2, 2, 3), np.uint8)
    picture[0, 0, 0] = (3, 0, 4)
    assert raw_pixels(picture)[0].tolist() == pytest.approx([0.6, 0, 0.8, *[0] * 9])
    assert not raw_pixels(picture)[1].any()


def test_every_floor_of_a_collection() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), np.uint8)
    floors = fit_floors(pictures)
    lengths = {name: features(pictures).shape[1] for name, features in floors.items()}
    assert lengths == {
        "raw_pixels": 64 * 64 * 3,
        "pca_512": 29,
        "color_histogram": 512,
        "gradient_histogram": 144,
    }
    for features in floors.values():
        rows = features(pictures)
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    # Centred: on average the rows point nowhere.
    centred = floors["gradient_histogram"](pictures)
    assert np.linalg.norm(centred.mean(axis=0)) < 0.1
