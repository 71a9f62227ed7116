"""Fisher vectors against the paper's formula in NumPy."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from indexer.training.fisher import FisherVectors, Vocabulary, fit_vocabulary

WORDS, DIMENSIONS, LENGTH = 5, 4, 7


def groups(count: int, seed: int) -> NDArray[np.float32]:
    """Descriptors around five centres: words that overlap a little."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(0, 1.5, (WORDS, LENGTH))
    rows = centres[random.integers(0, WORDS, count)] + random.normal(0, 0.6, (count, LENGTH))
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return fit_vocabulary(groups(600, 0), words=WORDS, dimensions=DIMENSIONS, seed=1)


def by_the_paper(patches: NDArray[np.float32], vocabulary: Vocabulary) -> NDArray[np.float64]:
    """One picture's (T, d) patches to its Fisher vector, in double precision: equations 16 to 18 of
    Sánchez et al., *Image Classification with the Fisher Vector* (2013)."""
    mean, basis, priors, means, variances = (
        getattr(vocabulary, field.name).astype(np.float64) for field in fields(vocabulary)
    )
    rows = (patches.astype(np.float64) - mean) @ basis
    mixture = GaussianMixture(len(priors), covariance_type="diag")
    mixture.weights_, mixture.means_, mixture.covariances_ = priors / priors.sum(), means, variances
    mixture.precisions_cholesky_ = 1 / np.sqrt(variances)
    shares = mixture.predict_proba(rows)
    away = (rows[:, None] - means) / np.sqrt(variances)
    by_means = (shares[..., None] * away).sum(axis=0) / np.sqrt(priors)[:, None]
    by_variances = (shares[..., None] * (away**2 - 1)).sum(axis=0) / np.sqrt(2 * priors)[:, None]
    whole = np.concatenate([by_means, by_variances], axis=1).ravel() / len(rows)
    rooted = np.sign(whole) * np.sqrt(np.abs(whole))
    found: NDArray[np.float64] = rooted / np.linalg.norm(rooted)
    return found


def test_the_vector_is_that_of_the_paper(vocabulary: Vocabulary) -> None:
    pictures = groups(3 * 20, 2).reshape(3, 20, LENGTH)
    found = np.asarray(FisherVectors(vocabulary)(pictures))
    assert found.shape == (3, 2 * WORDS * DIMENSIONS)
    wanted = np.stack([by_the_paper(picture, vocabulary) for picture in pictures])
    np.testing.assert_allclose(found, wanted, atol=5e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_the_order_of_patches_says_nothing(vocabulary: Vocabulary) -> None:
    picture = groups(20, 3)[None]
    layer = FisherVectors(vocabulary)
    np.testing.assert_allclose(layer(picture), layer(picture[:, ::-1].copy()), atol=1e-4)


def test_a_vocabulary_is_a_mixture(vocabulary: Vocabulary) -> None:
    assert vocabulary.priors.sum() == pytest.approx(1, abs=1e-5)
    assert vocabulary.means.shape == vocabulary.variances.shape == (WORDS, DIMENSIONS)
    assert vocabulary.basis.shape == (LENGTH, DIMENSIONS)
    assert (vocabulary.variances > 0).all()
    assert {getattr(vocabulary, field.name).dtype.name for field in fields(vocabulary)} == {
        "float32"
    }


def test_same_seed_same_vocabulary_bit_for_bit(vocabulary: Vocabulary) -> None:
    again = fit_vocabulary(groups(600, 0), words=WORDS, dimensions=DIMENSIONS, seed=1)
    for field in fields(vocabulary):
        one, two = getattr(vocabulary, field.name), getattr(again, field.name)
        assert one.tobytes() == two.tobytes(), field.name


def test_patches_that_are_all_equal_stay_finite() -> None:
    same = np.full((200, LENGTH), 0.25, np.float32)
    vocabulary = fit_vocabulary(same, words=WORDS, dimensions=DIMENSIONS, seed=0)
    for field in fields(vocabulary):
        assert np.isfinite(getattr(vocabulary, field.name)).all(), field.name
    layer = FisherVectors(vocabulary)
    assert np.isfinite(layer(same[None, :10])).all()
    assert np.isfinite(layer(groups(10, 4)[None])).all()


def test_a_patch_far_from_every_word_stays_finite(vocabulary: Vocabulary) -> None:
    found = np.asarray(FisherVectors(vocabulary)(np.full((1, 5, LENGTH), 50, np.float32)))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("count", "dimensions"), [(WORDS - 1, 2), (100, LENGTH + 1)])
def test_too_little_for_a_vocabulary_is_refused(count: int, dimensions: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        fit_vocabulary(groups(count, 5), words=WORDS, dimensions=dimensions, seed=0)
