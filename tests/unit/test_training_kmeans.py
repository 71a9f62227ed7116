"""K-Means and the elbow."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.training.kmeans import MAX_K, choose_k, fit_kmeans
from shared.clustering import Clustering
from shared.errors import TrainingError
from shared.types import EMBEDDING_SIZE, Embeddings
from tests.progress import Silent


def blobs(groups: int, each: int = 40) -> Embeddings:
    """Unit vectors close around `groups` random directions, one group after the other."""
    random = np.random.default_rng(0)
    centres = np.repeat(random.normal(size=(groups, EMBEDDING_SIZE)), each, axis=0)
    vectors = centres + 0.2 * random.normal(size=centres.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("groups", [2, 4, 7])
def test_the_elbow_is_at_the_number_of_groups(groups: int) -> None:
    vectors = blobs(groups)
    found = fit_kmeans(vectors, k=None, seed=0, progress=Silent())
    assert (found.k, found.chosen_by) == (groups, "elbow")
    assert found.sizes == (40,) * groups
    assert found.ks == tuple(range(1, min(MAX_K, len(vectors) // 10) + 1))
    assert list(found.inertias) == sorted(found.inertias, reverse=True)
    assert found.centroids.shape == (groups, EMBEDDING_SIZE)
    assert found.centroids.dtype == np.float32


def test_sizes_are_those_that_clustering_predicts() -> None:
    vectors = blobs(4)
    found = fit_kmeans(vectors, k=6, seed=0, progress=Silent())
    labels = Clustering("e", "g1", found.centroids).predict(vectors)
    assert tuple(np.bincount(labels, minlength=6)) == found.sizes
    for number in range(6):
        mean = vectors[labels == number].mean(axis=0)
        np.testing.assert_allclose(found.centroids[number], mean, atol=1e-6)


def test_a_given_k_is_kept() -> None:
    found = fit_kmeans(blobs(4), k=3, seed=0, progress=Silent())
    assert (found.k, found.chosen_by, found.ks) == (3, "given", (3,))
    assert found.about()["inertia"] == found.inertias[0]


@pytest.mark.parametrize("k", [0, 81])
def test_an_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(TrainingError, match=f"k = {k}: .* at most 80"):
        fit_kmeans(blobs(2), k=k, seed=0, progress=Silent())


def test_no_elbow_on_a_straight_line_falls_back_to_the_articles_k() -> None:
    assert choose_k(range(1, 11), [100.0 - 5 * k for k in range(1, 11)]) == (6, "fallback")
    assert choose_k([1, 2], [9.0, 4.0]) == (2, "fallback")
    assert choose_k([1], [9.0]) == (1, "fallback")


def test_a_bend_worked_by_hand() -> None:
    # Falls by 30 a step as far as 3, by 1 from there on.
    assert choose_k([1, 2, 3, 4, 5, 6], [70.0, 40.0, 10.0, 9.0, 8.0, 7.0]) == (3, "elbow")


def test_pictures_that_are_all_the_same_make_one_cluster() -> None:
    vectors = np.repeat(blobs(1, each=1), 60, axis=0)
    found = fit_kmeans(vectors, k=None, seed=0, progress=Silent())
    assert (found.k, found.sizes) == (1, (60,))


def test_pictures_that_are_nearly_the_same_are_no_reason_to_warn() -> None:
    vectors = np.repeat(blobs(1, each=1), 60, axis=0)
    vectors[:, 0] += np.arange(60, dtype=np.float32) * 1e-7
    found = fit_kmeans(vectors, k=None, seed=0, progress=Silent())
    assert sum(found.sizes) == 60


def test_same_seed_same_centroids() -> None:
    first, second = (fit_kmeans(blobs(4), k=8, seed=2, progress=Silent()) for _ in range(2))
    np.testing.assert_array_equal(first.centroids, second.centroids)
