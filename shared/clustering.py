"""`Clustering`: centroids, and which of them a vector is nearest to. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import VectorRefused
from shared.types import EMBEDDING_SIZE, Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """K-Means centroids of one generation of one encoder's vectors.

    `centroids`: float32 (k, 512), Euclidean means of unit vectors, so of length at most 1.
    They are copied and read-only. `generation`: ``"g1"``, ``"g2"``, ...; a cluster's label is
    ``"g1/3"``. Raises ValueError for centroids of another shape or that are not finite.
    """

    encoder: str
    generation: str
    centroids: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = self.centroids.shape
        if len(shape) != 2 or shape[0] < 1 or shape[1] != EMBEDDING_SIZE:
            raise ValueError(f"centroids have shape {shape}, expected (k, {EMBEDDING_SIZE})")
        if not np.isfinite(self.centroids).all():
            raise ValueError("centroids are not finite")
        centroids = np.array(self.centroids, np.float32, order="C")
        centroids.setflags(write=False)
        object.__setattr__(self, "centroids", centroids)

    @property
    def n_clusters(self) -> int:
        """k."""
        return len(self.centroids)

    @property
    def labels(self) -> list[str]:
        """Every label of this generation, by cluster number."""
        return [self.label(number) for number in range(self.n_clusters)]

    def label(self, number: int) -> str:
        """The payload label of a cluster number in [0, k)."""
        return f"{self.generation}/{number}"

    def predict(self, vectors: Embeddings) -> NDArray[np.int64]:
        """int64 (n,): the cluster whose centroid is nearest; ties go to the lower number.

        Raises `VectorRefused` as `distances` does.
        """
        numbers: NDArray[np.int64] = self.distances(vectors).argmin(axis=1)
        return numbers

    def nearest(self, vectors: Embeddings, n: int) -> NDArray[np.int64]:
        """int64 (len(vectors), min(n, k)): the nearest clusters, nearest first, ties as `predict`.

        Raises ValueError if n < 1, `VectorRefused` as `distances` does.
        """
        if n < 1:
            raise ValueError(f"n is {n}: at least one cluster must be asked for")
        return np.argsort(self.distances(vectors), axis=1, kind="stable")[:, :n]

    def distances(self, vectors: Embeddings) -> NDArray[np.float32]:
        """float32 (n, k): Euclidean distances from each vector to each centroid.

        Raises `VectorRefused` for another shape and for numbers that are not finite.
        """
        if vectors.ndim != 2 or vectors.shape[1] != EMBEDDING_SIZE:
            raise VectorRefused(
                f"vectors have shape {vectors.shape}, expected (n, {EMBEDDING_SIZE})"
            )
        if not np.isfinite(vectors).all():
            raise VectorRefused("vectors are not finite: encode them again")
        squared = (
            np.einsum("ij,ij->i", vectors, vectors)[:, None]
            - 2 * (vectors @ self.centroids.T)
            + np.einsum("ij,ij->i", self.centroids, self.centroids)
        )
        distances: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0)).astype(np.float32)
        return distances
