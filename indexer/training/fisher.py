"""Fisher vectors: a picture as how its patches differ from those of all pictures.

Perronnin, Sánchez and Mensink, *Improving the Fisher Kernel for Large-Scale Image Classification*
(2010). A vocabulary of Gaussians is fitted on patches of the user's own pictures. A picture is then
described by how far its patches' means and spreads lie from each Gaussian's: statistics of content,
wherever in the picture it is. No labels are needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from indexer.training.runtime import keras

_ITERATIONS = 30
_FLOOR = 1e-4
"""Added to variances, so that a word of equal patches does not become a needle."""

_TINY = 1e-8


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A mixture of `words` Gaussians with diagonal covariance over patches of `dimensions`.

    `mean` (d,) and `basis` (d, dimensions) turn descriptors into uncorrelated numbers. `priors`
    (words,) sum to 1; `means` and `variances` are (words, dimensions). All float32.
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    priors: NDArray[np.float32]
    means: NDArray[np.float32]
    variances: NDArray[np.float32]


def fit_vocabulary(
    patches: NDArray[np.float32], *, words: int, dimensions: int, seed: int
) -> Vocabulary:
    """Fit on descriptors float32 (m, d): PCA, then expectation maximisation from k-means++.

    Raises ValueError if m < `words` or d < `dimensions`.
    """
    # One thread: several would add up in an order that differs from run to run.
    # `errstate`: of patches that are all equal scikit-learn divides no variance by none.
    with threadpool_limits(1), warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough vocabulary serves as well
        pca = PCA(dimensions, svd_solver="covariance_eigh").fit(patches)
        mixture = GaussianMixture(
            words,
            covariance_type="diag",
            reg_covar=_FLOOR,
            max_iter=_ITERATIONS,
            init_params="k-means++",
            random_state=seed,
        ).fit(pca.transform(patches))
    return Vocabulary(
        *(
            np.asarray(value, np.float32)
            for value in (
                pca.mean_,
                pca.components_.T,
                mixture.weights_,
                mixture.means_,
                mixture.covariances_,
            )
        )
    )


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at patches (n, p, d): they become `patches @ basis + offset`, with `basis`
    (d, dimensions) and `offset` (dimensions,) or (p, dimensions), both float32."""

    basis: NDArray[np.float32]
    offset: NDArray[np.float32]


class FisherVectors(keras.layers.Layer):  # type: ignore[misc]
    """Patches (n, p, d) to Fisher vectors (n, 2 * words * dimensions) of unit length, the mean of
    those that each of `views` gives; by default one that uses the vocabulary as it is.

    Signed square roots keep frequent words from outweighing the rest, as in the paper.
    """

    def __init__(self, vocabulary: Vocabulary, views: Sequence[View] = (), **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self._vocabulary = vocabulary
        own = View(vocabulary.basis, -(vocabulary.mean @ vocabulary.basis))
        self._views = list(views) or [own]

    def call(self, patches: Any) -> Any:
        """The derivatives of each picture's log-likelihood by means and variances."""
        ops, v = keras.ops, self._vocabulary
        words, dimensions = v.means.shape
        reduced = self._reduced(patches)
        squares = reduced * reduced
        shares = ops.softmax(self._log_likelihoods(reduced, squares), axis=-1)
        # From here on a row of the batch is one picture in one view.
        count = patches.shape[1]
        shares = ops.reshape(shares, (-1, count, words))
        both = ops.reshape(ops.concatenate([reduced, squares], -1), (-1, count, 2 * dimensions))
        zeroth = ops.expand_dims(ops.mean(shares, axis=1), -1)
        moments = ops.matmul(ops.transpose(shares, (0, 2, 1)), both) / float(count)
        first, second = moments[..., :dimensions], moments[..., dimensions:]
        root, spread = np.sqrt(v.priors)[:, None], np.sqrt(v.variances)
        by_means = (first - zeroth * v.means) / (root * spread)
        by_variances = (second - 2 * v.means * first + (v.means**2 - v.variances) * zeroth) / (
            np.sqrt(np.float32(2)) * root * v.variances
        )
        whole = ops.concatenate([by_means, by_variances], axis=-1)
        return self._mean_of_views(ops.reshape(whole, (-1, 2 * v.means.size)))

    def _reduced(self, patches: Any) -> Any:
        """(n * views * p, dimensions): rows, for LiteRT multiplies two matrices fastest."""
        ops = keras.ops
        count, length = patches.shape[1:]
        rows, seen = ops.reshape(patches, (-1, length)), []
        for view in self._views:
            dimensions = view.basis.shape[1]
            turned = ops.reshape(ops.matmul(rows, view.basis), (-1, count, dimensions))
            seen.append(turned + view.offset)
        return ops.reshape(ops.concatenate(seen, axis=1), (-1, dimensions))

    def _log_likelihoods(self, reduced: Any, squares: Any) -> Any:
        """(rows, words), up to a constant of each patch."""
        ops, v = keras.ops, self._vocabulary
        precision = 1 / v.variances
        constant = np.log(v.priors) - 0.5 * (np.log(v.variances) + v.means**2 * precision).sum(
            axis=1
        )
        return (
            ops.matmul(reduced, (v.means * precision).T)
            - ops.matmul(squares, 0.5 * precision.T)
            + constant
        )

    def _mean_of_views(self, whole: Any) -> Any:
        """Square roots with their signs, unit length, mean over the views."""
        ops = keras.ops
        rooted = whole / ops.sqrt(ops.abs(whole) + _TINY)
        unit = rooted / (ops.sqrt(ops.sum(rooted * rooted, axis=-1, keepdims=True)) + _TINY)
        return ops.mean(ops.reshape(unit, (-1, len(self._views), unit.shape[-1])), axis=1)
