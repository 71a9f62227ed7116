"""K-Means: k at the elbow of the inertia by Kneedle, silhouettes beside it, then the fit itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from kneed import KneeLocator
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import euclidean_distances, silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from shared.clustering import Clustering
from shared.errors import TrainingError
from shared.types import Embeddings, Progress, Stage

MAX_K = 16
"""Largest k that the elbow is looked for in. Each cluster more makes a query lose neighbours that
fell into another cluster."""

FALLBACK_K = 6
"""k where the curve has no elbow: the article's."""

MINI_BATCH_ABOVE = 100_000
"""Vectors above which the fit is Mini-Batch K-Means (Sculley, *Web-Scale K-Means Clustering*,
2010). At 120,000 it took one second instead of six, and its inertia was 0.01 % higher."""

STARTS = 4
"""Starts of k-means++ (Arthur and Vassilvitskii, 2007), of which the best is kept."""

CURVE_IMAGES = 5_000
"""Most vectors that the curve is measured on. Of 10,000 pictures, 5,000 gave the elbow of all in
five draws of six and its neighbour in one, in a fifth of the time."""

SILHOUETTE_IMAGES = 2_000
"""Most vectors that silhouettes are measured on, for their distances go by the square."""

_CURVE_STARTS = 2
_IMAGES_PER_CLUSTER = 10
_BATCH_SIZE = 4_096
_CURVE, _SCORED = 1, 2  # first word of each sample's key

ChosenBy = Literal["elbow", "given", "fallback"]
Method = Literal["k-means", "mini-batch"]
_GIVEN: ChosenBy = "given"


@dataclass(frozen=True, slots=True)
class KMeansResult:
    """`centroids`: float32 (k, 512). `inertia`: sum of squared distances of all vectors to their
    centroids. `sizes`: vectors in each cluster, as `Clustering.predict` counts them.

    `ks`, `inertias` and `silhouettes` are the curve that was looked at, one point if k was given.
    `curve_images`: how many vectors its inertias add up over. A silhouette is in [-1, 1], or None
    where there is but one cluster.
    """

    centroids: NDArray[np.float32]
    k: int
    chosen_by: ChosenBy
    method: Method
    inertia: float
    sizes: tuple[int, ...]
    ks: tuple[int, ...]
    inertias: tuple[float, ...]
    silhouettes: tuple[float | None, ...]
    curve_images: int

    def about(self) -> dict[str, Any]:
        """How the clustering was made, as JSON values for `Models.add_clustering`."""
        return {
            "chosen_by": self.chosen_by,
            "method": self.method,
            "starts": STARTS,
            "sizes": list(self.sizes),
            "inertia": self.inertia,
            "ks": list(self.ks),
            "inertias": list(self.inertias),
            "silhouettes": list(self.silhouettes),
            "curve_images": self.curve_images,
        }


def fit_kmeans(
    vectors: Embeddings,
    *,
    k: int | None,
    seed: int,
    progress: Progress,
    mini_batch_above: int = MINI_BATCH_ABOVE,
) -> KMeansResult:
    """Clusters of float32 (n, 512), with `k` or, if None, the k at the elbow.

    The elbow is Kneedle's (Satopää et al., *Finding a "Kneedle" in a Haystack*, 2011) on the
    inertia for k = 1 … `MAX_K`, fewer where there would be under ten vectors a cluster, of at most
    `CURVE_IMAGES` vectors drawn by `seed`. Where it finds none, k is `FALLBACK_K` or the largest
    tried. The same vectors and seed give the same bytes. Warns through `progress` if one cluster
    holds most of the vectors. Raises `TrainingError` if there are none, or if `k` is less than 1 or
    more than there are different ones.
    """
    if not len(vectors):
        raise TrainingError("no images to cluster, at least 1 is needed: are they still there?")
    different = _count_different(vectors)
    sample = _drawn(vectors, CURVE_IMAGES, (_CURVE, seed)) if k is None else vectors
    ks = _candidates(sample) if k is None else [_checked(k, different)]
    silhouette = _Silhouette(vectors, seed)
    in_batches = len(vectors) > mini_batch_above
    with progress.stage("Clustering", 1 if k is not None else len(ks) + 1) as stage, _repeatable():
        curve = [] if k is not None else _measure(ks, sample, silhouette, seed, stage)
        chosen, chosen_by = (
            (k, _GIVEN) if k is not None else choose_k(ks, [one for one, _ in curve])
        )
        fitted = (_fit_in_batches if in_batches else _fit)(vectors, chosen, seed)
        centroids = np.asarray(fitted.cluster_centers_, dtype=np.float32)
        curve = curve or [(float(fitted.inertia_), silhouette(centroids))]
        stage.note(f"k = {chosen}  inertia {fitted.inertia_:.1f}")
        stage.advance()
    labels = Clustering("", "g1", centroids).predict(vectors)
    sizes = tuple(np.bincount(labels, minlength=chosen).tolist())
    warning = lopsided(sizes, different)
    if warning is not None and k != 1:  # who asks for one cluster knows what it holds
        progress.say(f"warning: {warning}")
    return KMeansResult(
        centroids=centroids,
        k=chosen,
        chosen_by=chosen_by,
        method="mini-batch" if in_batches else "k-means",
        inertia=float(fitted.inertia_),
        sizes=sizes,
        ks=tuple(ks),
        inertias=tuple(inertia for inertia, _ in curve),
        silhouettes=tuple(score for _, score in curve),
        curve_images=len(sample),
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


def lopsided(sizes: Sequence[int], different: int) -> str | None:
    """One line with the remedy if a cluster holds more than half of the images, else None.

    `different`: how many different images there are, the largest k that can be asked for.
    """
    largest = int(np.argmax(sizes))
    share = sizes[largest] / sum(sizes)
    if share <= 0.5:
        return None
    k = min(2 * len(sizes), different)
    remedy = f"--k {k} or more varied pictures" if k > len(sizes) else "more varied pictures"
    return (
        f"cluster {largest} holds {100 * share:.0f} % of the images: searches in it look at most "
        f"of the collection; try {remedy}"
    )


class _Silhouette:
    """Scores centroids by the silhouette (Rousseeuw, 1987) of at most `SILHOUETTE_IMAGES` of the
    vectors. Their distances are measured once, for every k."""

    def __init__(self, vectors: Embeddings, seed: int) -> None:
        self._vectors = _drawn(vectors, SILHOUETTE_IMAGES, (_SCORED, seed))
        with _repeatable():
            self._distances = euclidean_distances(self._vectors)

    def __call__(self, centroids: NDArray[np.float32]) -> float | None:
        """The mean silhouette, in [-1, 1]; None if all lie in one cluster, or each in its own."""
        labels = Clustering("", "g1", centroids).predict(self._vectors)
        if not 2 <= len(np.unique(labels)) < len(labels):
            return None
        return float(silhouette_score(self._distances, labels, metric="precomputed"))


def _measure(
    ks: Sequence[int], sample: Embeddings, silhouette: _Silhouette, seed: int, stage: Stage
) -> list[tuple[float, float | None]]:
    """Inertia and silhouette for each k."""
    curve = []
    for k in ks:
        fitted = _fit(sample, k, seed, _CURVE_STARTS)
        curve.append((float(fitted.inertia_), silhouette(fitted.cluster_centers_)))
        stage.note(f"k = {k}  inertia {fitted.inertia_:.1f}")
        stage.advance()
    return curve


def _fit(vectors: Embeddings, k: int, seed: int, starts: int = STARTS) -> Any:
    return KMeans(k, init="k-means++", n_init=starts, random_state=seed).fit(vectors)


def _fit_in_batches(vectors: Embeddings, k: int, seed: int) -> Any:
    """Mini-batches from where a whole fit of a sample ends, which leaves them little to do."""
    most = max(CURVE_IMAGES, k * _IMAGES_PER_CLUSTER)
    begin = _fit(_drawn(vectors, most, (_CURVE, seed)), k, seed).cluster_centers_
    return MiniBatchKMeans(
        k,
        init=begin,
        n_init=1,
        batch_size=_BATCH_SIZE,
        random_state=seed,
        reassignment_ratio=0.0,  # a small cluster of the sample is no bad luck to be moved away
    ).fit(vectors)


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread: several would add up in an order that differs from run to run."""
    with threadpool_limits(1), warnings.catch_warnings():
        # Near-duplicates can leave clusters empty; their sizes say so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _drawn(vectors: Embeddings, most: int, key: tuple[int, int]) -> Embeddings:
    """All vectors, or `most` of them drawn by `key`, in their order."""
    if len(vectors) <= most:
        return vectors
    rows = np.random.default_rng(key).choice(len(vectors), most, replace=False)
    return vectors[np.sort(rows)]


def _count_different(vectors: Embeddings) -> int:
    return len({hash(row.tobytes()) for row in vectors})


def _candidates(sample: Embeddings) -> list[int]:
    most = min(MAX_K, len(sample) // _IMAGES_PER_CLUSTER, _count_different(sample))
    return list(range(1, max(1, most) + 1))


def _checked(k: int, different: int) -> int:
    if not 1 <= k <= different:
        raise TrainingError(
            f"k = {k}: give at least 1 and at most {different}, the number of different images"
        )
    return k
