"""`Clustering` against numbers worked by hand and against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.clustering import Clustering
from shared.errors import VectorRefused


def rows(*starts: list[float]) -> NDArray[np.float32]:
    """float32 (n, 512): each row starts with the values given, the rest is 0."""
    made = np.zeros((len(starts), 512), np.float32)
    for row, start in zip(made, starts, strict=True):
        row[: len(start)] = start
    return made


# Centroids on the first two axes; a vector at (1, 0) is 0, 1 and sqrt(2) away, and so on.
THREE = Clustering("e", "g1", rows([1, 0], [0, 0], [0, 1]))


def test_distances_by_hand() -> None:
    expected = [[0, 1, 2**0.5], [0.8**0.5, 1, 0.4**0.5], [2, 1, 2**0.5]]
    found = THREE.distances(rows([1, 0], [0.6, 0.8], [-1, 0]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_predict_by_hand() -> None:
    found = THREE.predict(rows([1, 0], [0.6, 0.8], [-1, 0]))
    assert found.dtype == np.int64
    assert found.tolist() == [0, 2, 1]


def test_nearest_by_hand_is_nearest_first() -> None:
    vectors = rows([1, 0], [0.6, 0.8], [-1, 0])
    assert THREE.nearest(vectors, 2).tolist() == [[0, 1], [2, 0], [1, 2]]
    assert THREE.nearest(vectors, 1)[:, 0].tolist() == THREE.predict(vectors).tolist()
    for more in (3, 4, 1000):
        assert THREE.nearest(vectors, more).shape == (3, 3)


def test_ties_go_to_the_lower_number() -> None:
    same = Clustering("e", "g1", rows([0, 1], [1, 0], [1, 0], [0, 1]))
    assert same.predict(rows([1, 0], [0, 1])).tolist() == [1, 0]
    assert same.nearest(rows([1, 0]), 4).tolist() == [[1, 2, 0, 3]]
    many = Clustering("e", "g1", rows(*[[1, 0], [0, 1]] * 50))  # sorts differ from 17 on
    assert many.nearest(rows([1, 0]), 100).tolist() == [[*range(0, 100, 2), *range(1, 100, 2)]]


def test_no_vector() -> None:
    none = np.empty((0, 512), np.float32)
    assert THREE.predict(none).shape == (0,)
    assert THREE.nearest(none, 2).shape == (0, 2)
    assert THREE.distances(none).shape == (0, 3)


def test_labels() -> None:
    assert THREE.n_clusters == 3
    assert THREE.labels == ["g1/0", "g1/1", "g1/2"]
    assert Clustering("e", "g12", rows([1])).label(3) == "g12/3"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20), k=st.integers(1, 12))
def test_against_brute_force(seed: int, n: int, k: int) -> None:
    source = np.random.default_rng(seed)
    vectors = source.normal(size=(n, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centroids = (source.normal(size=(k, 512)) / 30).astype(np.float32)
    clustering = Clustering("e", "g1", centroids)
    differences = vectors[:, None].astype(np.float64) - centroids[None]
    expected = np.sqrt((differences**2).sum(axis=2))
    np.testing.assert_allclose(clustering.distances(vectors), expected, atol=1e-5)
    order = clustering.nearest(vectors, k)
    assert np.sort(order, axis=1).tolist() == [list(range(k))] * n
    assert (np.diff(np.take_along_axis(expected, order, axis=1), axis=1) >= -1e-5).all()
    assert (order[:, 0] == clustering.predict(vectors)).all()


def test_a_vector_on_its_centroid_is_at_distance_0_and_never_nan() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = Clustering("e", "g1", vectors).distances(vectors)
    assert np.isfinite(found).all()
    assert np.diag(found).max() < 1e-3  # the square root of float32's rounding


@pytest.mark.parametrize(
    "centroids",
    [
        np.zeros((0, 512), np.float32),
        np.zeros((3, 511), np.float32),
        np.zeros(512, np.float32),
        np.full((1, 512), np.nan, np.float32),
        np.full((1, 512), np.inf, np.float32),
    ],
)
def test_centroids_that_are_refused(centroids: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="centroids"):
        Clustering("e", "g1", centroids)


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros(512, np.float32),
        np.zeros((1, 128), np.float32),
        rows([np.nan]),
        rows([1], [np.inf]),
    ],
)
def test_vectors_that_are_refused(vectors: NDArray[np.float32]) -> None:
    for question in (THREE.distances, THREE.predict, lambda bad: THREE.nearest(bad, 2)):
        with pytest.raises(VectorRefused, match="vectors"):
            question(vectors)


@pytest.mark.parametrize("n", [0, -1])
def test_nearest_of_none_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        THREE.nearest(rows([1]), n)


def test_the_callers_arrays_are_neither_changed_nor_shared() -> None:
    centroids, vectors = rows([1, 0], [0, 1]), rows([0.6, 0.8])
    before: list[Any] = [centroids.copy(), vectors.copy()]
    clustering = Clustering("e", "g1", centroids)
    clustering.predict(vectors)
    clustering.nearest(vectors, 2)
    np.testing.assert_array_equal(centroids, before[0])
    np.testing.assert_array_equal(vectors, before[1])
    centroids[:] = 5
    assert clustering.predict(vectors).tolist() == [1]
    assert centroids.flags.writeable
    assert not clustering.centroids.flags.writeable


def test_centroids_are_kept_as_float32() -> None:
    assert Clustering("e", "g1", rows([1]).astype(np.float64)).centroids.dtype == np.float32
