"""The vectors that are searched, made from real ones, and their clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.options import Options
from benchmarks.resampling import home_of, real_vectors, resampled
from indexer.cli.progress import progress
from indexer.training.kmeans import fit_kmeans
from shared.clustering import Clustering
from shared.types import Embeddings

NOISE = 0.25
"""Length of the step that makes a new vector of a real one."""
_BLOCK = 50_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """`points`: float32 (n, 512), `queries`: float32 (q, 512), alike but drawn anew; `real`: how
    many vectors they are all made from. `clusterings`: by how their k was found."""

    points: Embeddings
    queries: Embeddings
    real: int
    clusterings: dict[str, Clustering]


def drawn(options: Options, count: int, queries: int, ks: tuple[int, ...]) -> Drawn:
    """Index the pictures, or take the home of an earlier run; draw from their vectors."""
    home = options.home("search") / "home"
    # A home that a run left unfinished is gone through again: what is indexed is passed over.
    real, auto = real_vectors(home_of(options.pictures, home))
    random = np.random.default_rng(options.seed)
    points = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, _BLOCK):
        some = points[start : start + _BLOCK]
        some[:] = resampled(real, len(some), NOISE, random)
    clusterings = {"auto": auto}
    for k in ks:
        fitted = fit_kmeans(real, k=k, seed=options.seed, progress=progress())
        clusterings[str(k)] = replace(auto, centroids=fitted.centroids)
    asked = resampled(real, queries, NOISE, random)
    return Drawn(points, asked, len(real), clusterings)


def cluster_numbers(points: Embeddings, clusters: Clustering) -> NDArray[np.int64]:
    """The cluster of each point, int64 (n,)."""
    blocks = range(0, len(points), _BLOCK)
    return np.concatenate([clusters.predict(points[start : start + _BLOCK]) for start in blocks])
