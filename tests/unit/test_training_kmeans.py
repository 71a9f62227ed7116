"""K-Means and the elbow."""

from __future__ import annotations

import json

import numpy as np
import pytest

from indexer.training.kmeans import (
    CURVE_IMAGES,
    MAX_K,
    STARTS,
    choose_k,
    fit_kmeans,
    lopsided,
)
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
    assert found.silhouettes[0] is None
    assert max(found.silhouettes[1:]) == found.silhouettes[groups - 1]  # type: ignore[type-var]
    assert found.curve_images == len(vectors)


def test_inertia_and_silhouette_worked_by_hand() -> None:
    # Two pairs at right angles: the cosine inside a pair is 0.8, so its vectors lie
    # sqrt(2 - 2 * 0.8) = sqrt(0.4) apart, and sqrt(2) from the other pair.
    vectors = np.zeros((4, EMBEDDING_SIZE), np.float32)
    vectors[0, 0] = vectors[2, 1] = 1
    vectors[1, [0, 2]] = vectors[3, [1, 3]] = 0.8, 0.6
    found = fit_kmeans(vectors, k=2, seed=0, progress=Silent())
    assert found.sizes == (2, 2)
    assert found.inertia == pytest.approx(2 * 0.4 / 2)
    (silhouette,) = found.silhouettes
    assert silhouette == pytest.approx(1 - np.sqrt(0.4) / np.sqrt(2))


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
    assert found.inertias == (found.inertia,)


def test_what_is_kept_of_a_fit_goes_through_json() -> None:
    found = fit_kmeans(blobs(3), k=None, seed=0, progress=Silent())
    about = json.loads(json.dumps(found.about()))
    assert (about["method"], about["starts"]) == ("k-means", STARTS)
    assert about["sizes"] == [40, 40, 40]
    assert about["silhouettes"] == list(found.silhouettes)
    assert len(about["ks"]) == len(about["inertias"]) == len(about["silhouettes"])


def test_the_curve_of_many_vectors_is_measured_on_a_sample() -> None:
    vectors = blobs(4, each=CURVE_IMAGES // 4 + 25)
    found = fit_kmeans(vectors, k=None, seed=0, progress=Silent())
    assert (found.k, found.chosen_by, found.curve_images) == (4, "elbow", CURVE_IMAGES)
    assert found.sizes == (len(vectors) // 4,) * 4
    share = CURVE_IMAGES / len(vectors)
    assert found.inertias[3] == pytest.approx(found.inertia * share, rel=0.01)


def test_above_the_threshold_mini_batches_find_the_same_clusters() -> None:
    vectors = blobs(5)
    vectors.setflags(write=False)
    whole = fit_kmeans(vectors, k=None, seed=0, progress=Silent())
    batched, again = (
        fit_kmeans(vectors, k=None, seed=0, progress=Silent(), mini_batch_above=199)
        for _ in range(2)
    )
    assert (whole.method, batched.method) == ("k-means", "mini-batch")
    assert batched.centroids.tobytes() == again.centroids.tobytes()
    assert (batched.k, batched.sizes) == (5, (40,) * 5)
    assert batched.inertia == pytest.approx(whole.inertia, rel=0.01)
    assert batched.silhouettes == whole.silhouettes
    exactly = fit_kmeans(vectors, k=5, seed=0, progress=Silent(), mini_batch_above=200)
    assert exactly.method == "k-means"


@pytest.mark.parametrize("k", [None, 3])
def test_every_step_is_counted(k: int | None) -> None:
    progress = Silent()
    fit_kmeans(blobs(3), k=k, seed=0, progress=progress)
    (stage,) = progress.stages
    assert stage.done == stage.total


def test_a_cluster_that_holds_most_gets_one_line_with_the_remedy() -> None:
    progress = Silent()
    vectors = np.concatenate([blobs(3), blobs(1, each=160)])
    fit_kmeans(vectors, k=3, seed=0, progress=progress)
    (line,) = progress.said
    assert line.startswith("warning: cluster ")
    assert line.endswith(
        "holds 71 % of the images: searches in it look at most of the collection; "
        "try --k 6 or more varied pictures"
    )


def test_the_remedy_is_one_that_can_be_taken() -> None:
    assert lopsided([10, 20, 71], 101) == (
        "cluster 2 holds 70 % of the images: searches in it look at most of the collection; "
        "try --k 6 or more varied pictures"
    )
    assert "try --k 4 or more" in str(lopsided([1, 2, 9], 4))
    assert str(lopsided([60], 1)).endswith("try more varied pictures")
    assert lopsided([50, 50], 100) is None
    assert lopsided([30, 30, 40], 100) is None


def test_who_asks_for_one_cluster_is_not_warned() -> None:
    progress = Silent()
    found = fit_kmeans(blobs(2), k=1, seed=0, progress=progress)
    assert (found.sizes, found.silhouettes, progress.said) == ((80,), (None,), [])


def test_no_vectors_are_refused() -> None:
    with pytest.raises(TrainingError, match="no images to cluster"):
        fit_kmeans(blobs(1)[:0], k=None, seed=0, progress=Silent())


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
    assert first.centroids.tobytes() == second.centroids.tobytes()
    assert first.about() == second.about()
