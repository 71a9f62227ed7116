"""PCA and colour histograms against plain NumPy and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from searcher.floors import Pca, color_histograms, ranked


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
