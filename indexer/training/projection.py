"""From features of any length to the 512 numbers that are stored: PCA, and the graph's last layers.

PCA keeps the inner products of centred features as well as 512 numbers can (Pearson, 1901). A few
directions, such as light against dark, hold most of the variance and tell little; whitening
(Jégou and Chum, *Negative evidences and co-occurrences in image retrieval*, 2012) makes all
directions equal, and so loud those that are mostly noise. A little of it is best: `docs/encoder.md`
has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from indexer.training.runtime import keras
from shared.types import EMBEDDING_SIZE

Features = NDArray[np.float32]
"""float32 (n, d): whatever an encoder knows of n pictures before it is cut to 512."""

NUDGE = 1e-6
"""Features, or a latent, that are exactly the mean have no direction. This gives them one; against
vectors of length 1 and more it is below what float32 resolves."""

_SMALLEST = 1e-6
"""Variances below this share of the largest are rounding errors and left out."""


@dataclass(frozen=True, slots=True)
class Projection:
    """`mean`: float32 (d,). `components`: float32 (d, 512), orthogonal columns; the last columns
    are zero where there are fewer directions than that. `explained`: share of the variance kept."""

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: float


def fit_projection(features: Features, seed: int, whiten: float = 0.0) -> Projection:
    """PCA to 512 components, or fewer where n or d are smaller.

    `whiten`, in [0, 1], is the share of whitening: 0 leaves the components' variances as they are,
    1 makes them equal. Randomised (Halko et al., *Finding structure with randomness*, 2011) where
    that is faster, from `seed`. Raises ValueError for features that are not finite.
    """
    count = min(EMBEDDING_SIZE, len(features) - 1, features.shape[1])
    # One thread: several would add up in an order that differs from run to run. Of features that
    # are all equal scikit-learn divides no variance by none.
    with threadpool_limits(1), np.errstate(invalid="ignore"):
        pca = PCA(count, svd_solver="auto", random_state=seed).fit(features)
    components = np.zeros((features.shape[1], EMBEDDING_SIZE), np.float32)
    variances = pca.explained_variance_
    kept = variances > variances[0] * _SMALLEST
    scales = np.zeros(count)
    scales[kept] = (variances[kept] / variances[0]) ** (-whiten / 2)
    components[:, :count] = pca.components_.T * scales
    explained = float(np.nan_to_num(pca.explained_variance_ratio_).sum())
    return Projection(pca.mean_.astype(np.float32), components, explained)


def projected(features: Any, projection: Projection) -> Any:
    """The end of an encoder's graph: Keras tensor (n, d) to (n, 512), centred, unit rows.

    The layers are named ``projection`` (dense, trainable) and ``unit``.
    """
    bias = -(projection.mean @ projection.components)
    bias[0] += NUDGE
    layer = keras.layers.Dense(EMBEDDING_SIZE, name="projection")
    flat = layer(features)
    layer.set_weights([projection.components, bias])
    return keras.layers.UnitNormalization(name="unit")(flat)
