"""K-Means for a range of k, and the elbow of its inertia by Kneedle."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from kneed import KneeLocator
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from shared.clustering import Clustering
from shared.errors import TrainingError
from shared.types import Embeddings, Progress

MAX_K = 16
"""Largest k that the elbow is looked for in. Each cluster more makes a query lose neighbours that
fell into another cluster."""

FALLBACK_K = 6
"""k where the curve has no elbow: the article's."""

_IMAGES_PER_CLUSTER = 10
_STARTS = 4

ChosenBy = Literal["elbow", "given", "fallback"]
_GIVEN: ChosenBy = "given"


@dataclass(frozen=True, slots=True)
class KMeansResult:
    """`centroids`: float32 (k, 512). `ks` and `inertias` (sums of squared distances) are the curve
    that was looked at, one point if k was given. `sizes`: vectors in each cluster, as
    `Clustering.predict` counts them."""

    centroids: NDArray[np.float32]
    k: int
    chosen_by: ChosenBy
    ks: tuple[int, ...]
    inertias: tuple[float, ...]
    sizes: tuple[int, ...]

    @property
    def inertia(self) -> float:
        """Sum of squared distances to the centroids at the chosen k."""
        return self.inertias[self.ks.index(self.k)]

    def about(self) -> dict[str, Any]:
        """How the clustering was made, as JSON values for `Models.add_clustering`."""
        return {
            "chosen_by": self.chosen_by,
            "sizes": list(self.sizes),
            "inertia": self.inertia,
            "ks": list(self.ks),
            "inertias": list(self.inertias),
        }


def fit_kmeans(
    vectors: Embeddings, *, k: int | None, seed: int, progress: Progress
) -> KMeansResult:
    """Clusters of float32 (n, 512), with `k` or, if None, the k at the elbow.

    The elbow is Kneedle's (Satopää et al., *Finding a "Kneedle" in a Haystack*, 2011) on the
    inertia for k = 1 … `MAX_K`, fewer where there would be under ten vectors a cluster. Where it
    finds none, k is `FALLBACK_K` or the largest tried. Raises `TrainingError` if `k` is less than
    1 or more than there are different vectors.
    """
    ks = _candidates(vectors, k)
    fits = []
    # One thread: several would add up in an order that differs from run to run.
    with (
        progress.stage("Clustering", len(ks)) as stage,
        threadpool_limits(1),
        warnings.catch_warnings(),
    ):
        # Near-duplicates can leave clusters empty; their sizes say so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for candidate in ks:
            fits.append(KMeans(candidate, n_init=_STARTS, random_state=seed).fit(vectors))
            stage.note(f"k = {candidate}  inertia {fits[-1].inertia_:.1f}")
            stage.advance()
    inertias = tuple(float(fitted.inertia_) for fitted in fits)
    chosen, chosen_by = choose_k(ks, inertias) if k is None else (k, _GIVEN)
    centroids = np.asarray(fits[ks.index(chosen)].cluster_centers_, dtype=np.float32)
    labels = Clustering("", "g1", centroids).predict(vectors)
    sizes = np.bincount(labels, minlength=chosen)
    return KMeansResult(
        centroids, chosen, chosen_by, tuple(ks), inertias, tuple(int(size) for size in sizes)
    )


def choose_k(ks: Sequence[int], inertias: Sequence[float]) -> tuple[int, ChosenBy]:
    """The k at the elbow of a falling curve, or the fallback."""
    if len(ks) > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "No knee/elbow found" is an answer, not a warning
            elbow = KneeLocator(ks, inertias, curve="convex", direction="decreasing").elbow
        if elbow is not None:
            return int(elbow), "elbow"
    return min(FALLBACK_K, max(ks)), "fallback"


def _candidates(vectors: Embeddings, k: int | None) -> list[int]:
    different = len({hash(row.tobytes()) for row in vectors})
    if k is None:
        most = min(MAX_K, len(vectors) // _IMAGES_PER_CLUSTER, different)
        return list(range(1, max(1, most) + 1))
    if not 1 <= k <= different:
        raise TrainingError(
            f"k = {k}: give at least 1 and at most {different}, the number of different images"
        )
    return [k]
