"""From features to 512 numbers: what PCA keeps, what whitening changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.training.projection import Features, Projection, fit_projection, projected
from indexer.training.runtime import keras
from shared.types import EMBEDDING_SIZE, Embeddings


def features(count: int, d: int, seed: int = 0) -> Features:
    """Rows that vary much in some directions, little in others, around no zero."""
    random = np.random.default_rng(seed)
    spread = np.geomspace(3, 0.1, d)
    return (random.normal(0, 1, (count, d)) * spread + random.normal(0, 2, d)).astype(np.float32)


def flat(rows: Features, projection: Projection) -> NDArray[np.float32]:
    """Projected, before the division by the length."""
    centred: Features = rows - projection.mean
    return (centred @ projection.components).astype(np.float32)


def encoded(rows: Features, projection: Projection) -> Embeddings:
    given = keras.Input((rows.shape[1],))
    vectors: Embeddings = keras.Model(given, projected(given, projection)).predict_on_batch(rows)
    return vectors


def test_without_whitening_inner_products_are_kept() -> None:
    rows = features(120, 40)
    projection = fit_projection(rows, 0)
    centred = rows - rows.mean(axis=0)
    short = flat(rows, projection)
    np.testing.assert_allclose(short @ short.T, centred @ centred.T, rtol=1e-3, atol=1e-2)
    assert projection.explained == pytest.approx(1, abs=1e-5)


def test_more_features_than_512_keep_the_most_variance() -> None:
    rows = features(700, 600)
    projection = fit_projection(rows, 0)
    assert projection.components.shape == (600, EMBEDDING_SIZE)
    kept = flat(rows, projection).var(axis=0).sum() / rows.var(axis=0).sum()
    assert kept == pytest.approx(projection.explained, abs=1e-3)
    dropped = np.sort(np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2)
    assert kept == pytest.approx(dropped[-EMBEDDING_SIZE:].sum() / dropped.sum(), abs=2e-3)


def test_few_pictures_fill_up_with_zeros() -> None:
    rows = features(60, 100)
    projection = fit_projection(rows, 0, 0.25)
    assert projection.components.dtype == np.float32
    assert (projection.components[:, 59:] == 0).all()
    assert np.abs(projection.components[:, :59]).max(axis=0).min() > 0
    vectors = encoded(rows, projection)
    assert vectors.shape == (60, EMBEDDING_SIZE)
    assert (vectors[:, 59:] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_full_whitening_makes_variances_equal() -> None:
    rows = features(200, 30)
    plain, half, whole = (flat(rows, fit_projection(rows, 0, w)).var(axis=0) for w in (0, 0.5, 1))
    np.testing.assert_allclose(whole[:30], whole[0], rtol=1e-3)
    assert plain[0] / plain[29] > 100
    # Half of whitening takes the root of the ratio, and the loudest stays as it was.
    np.testing.assert_allclose(half[0] / half[29], np.sqrt(plain[0] / plain[29]), rtol=1e-2)
    np.testing.assert_allclose([half[0], whole[0]], plain[0], rtol=1e-3)


def test_directions_without_variance_are_not_blown_up() -> None:
    rows = np.repeat(features(100, 5), 4, axis=1)  # twenty numbers in five directions
    projection = fit_projection(rows, 0, 1.0)
    assert np.isfinite(projection.components).all()
    assert (np.abs(projection.components).max(axis=0) > 0).sum() == 5


@pytest.mark.parametrize("whiten", [0.0, 0.25, 1.0])
def test_the_mean_itself_has_a_direction(whiten: float) -> None:
    rows = features(80, 20)
    projection = fit_projection(rows, 0, whiten)
    vector = encoded(projection.mean[None], projection)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_pictures_that_are_all_the_same_have_a_direction() -> None:
    rows = np.full((60, 20), 0.5, np.float32)
    vectors = encoded(rows, fit_projection(rows, 0, 0.25))
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("whiten", [0.0, 0.25])
def test_the_graph_does_what_numpy_does(whiten: float) -> None:
    rows = features(90, 25)
    projection = fit_projection(rows, 0, whiten)
    wanted = flat(rows, projection)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(encoded(rows, projection), wanted, atol=1e-4)


def test_same_seed_same_projection_bit_for_bit() -> None:
    rows = features(600, 520)
    one, two = fit_projection(rows, 3, 0.25), fit_projection(rows, 3, 0.25)
    assert one.components.tobytes() == two.components.tobytes()
    assert one.mean.tobytes() == two.mean.tobytes()


def test_what_is_not_finite_is_refused() -> None:
    rows = features(60, 20)
    rows[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fit_projection(rows, 0)
