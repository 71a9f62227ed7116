"""What was measured on a collection's own vectors when it was clustered: what a restricted search
finds, and how alike pictures of this collection are. NumPy only.

A query's neighbour lies across a border when another centroid is nearer to the neighbour than the
query's own. How near the query is to a border tells how likely that is: its *margin* to a cluster
is its distance from the plane half-way between the two centroids. `--probes auto` searches every
cluster whose margin is at most a limit, and `margins` says what recall each limit reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.clustering import Clustering
from shared.thresholds import NOTHING_SHARE, WANTED_RECALL
from shared.types import Embeddings

VERSION = 1

CONFIDENCE = 1.645
"""Standard errors by which the measured recall must exceed the wanted one: that of the whole
collection then does in 95 of 100 draws of the sample (one-sided normal quantile)."""

_DIGITS = 6

Curve = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Measured with `queries` of the collection's vectors, each left out of its own answers.

    `k`: neighbours that recall counts. `probe_recall`, `probe_coverage`: float32 (n_clusters,) for
    one probe, two, and so on. `margins`, `margin_recall`, `margin_error`, `margin_coverage`:
    float32 (m,), rising limits of the margin, the mean recall@k and coverage that each gives, and
    the recall's standard error. `pair_scores`: float32 (s,), cosines of random pairs at the shares
    `pair_shares` in [0, 1]. `nearest_scores`: float32 (t,), evenly spaced quantiles of the cosine
    of a picture with its nearest other one.
    """

    k: int
    queries: int
    probe_recall: Curve
    probe_coverage: Curve
    margins: Curve
    margin_recall: Curve
    margin_error: Curve
    margin_coverage: Curve
    pair_shares: Curve
    pair_scores: Curve
    nearest_scores: Curve

    def limit(self, wanted: float = WANTED_RECALL) -> int:
        """The row of `margins` whose limit reaches a recall with the least coverage, and goes on
        only as long as a further share of the collection brings a larger one of recall.

        That is, of all limits that surely reach it, the one with the largest difference of recall
        and coverage; the last limit if none does. Raises ValueError unless `wanted` is in (0, 1].
        """
        if not 0 < wanted <= 1:
            raise ValueError(f"recall is {wanted}: it must be more than 0 and at most 1")
        sure = self.margin_recall - CONFIDENCE * self.margin_error >= wanted
        if not sure.any():
            return len(self.margins) - 1
        return int(np.argmax(np.where(sure, self.margin_recall - self.margin_coverage, -np.inf)))

    def percentile(self, score: float) -> float:
        """Share of pairs of the collection's pictures that are less alike, in [0, 100]."""
        return 100 * float(np.interp(score, self.pair_scores, self.pair_shares))

    def score_at(self, percentile: float) -> float:
        """The cosine with that percentile, in [0, 100]."""
        return float(np.interp(percentile / 100, self.pair_shares, self.pair_scores))

    def nearest_at(self, share: float) -> float:
        """The cosine that this share, in [0, 1], of pictures do not reach with any other."""
        shares = np.linspace(0, 1, len(self.nearest_scores))
        return float(np.interp(share, shares, self.nearest_scores))

    @property
    def least_alike(self) -> float:
        """The cosine below which nothing looks like the query."""
        return self.nearest_at(NOTHING_SHARE)

    def to_json(self) -> dict[str, Any]:
        """The calibration as JSON values."""
        curves = {
            name: [round(value, _DIGITS) for value in getattr(self, name).tolist()]
            for name in _CURVES
        }
        return {"version": VERSION, "k": self.k, "queries": self.queries, **curves}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration | None:
        """What `to_json` wrote; None for another version. Raises KeyError, TypeError, ValueError"""
        if value["version"] != VERSION:
            return None
        curves = {name: np.array(value[name], np.float32) for name in _CURVES}
        return cls(k=int(value["k"]), queries=int(value["queries"]), **curves)


_CURVES = (
    "probe_recall",
    "probe_coverage",
    "margins",
    "margin_recall",
    "margin_error",
    "margin_coverage",
    "pair_shares",
    "pair_scores",
    "nearest_scores",
)


def margins(clustering: Clustering, vectors: Embeddings) -> NDArray[np.float32]:
    """float32 (n, n_clusters): each vector's margin to each cluster; 0 for its own.

    The plane half-way between two centroids holds the points that are equally far from both. Of two
    centroids at one place the margin is 0.
    """
    distances = clustering.distances(vectors).astype(np.float64)
    centroids = clustering.centroids.astype(np.float64)
    own = distances.argmin(axis=1)
    apart = np.linalg.norm(centroids[own][:, None] - centroids, axis=2)
    nearest = distances[np.arange(len(own)), own][:, None]
    found = (distances**2 - nearest**2) / np.maximum(2 * apart, 1e-12)
    found[apart < 1e-6] = 0
    margins: NDArray[np.float32] = found.astype(np.float32)
    return margins


def within(margins: NDArray[np.float32], limit: float) -> NDArray[np.int64]:
    """int64: the clusters whose margin of one query, float32 (n_clusters,), is at most the limit,
    nearest first; ties as `Clustering.predict`."""
    order = np.argsort(margins, kind="stable")
    chosen: NDArray[np.int64] = order[margins[order] <= max(0.0, limit)]
    return chosen
