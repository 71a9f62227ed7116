"""What a search in few clusters finds, and how similar a collection's images are, measured on the
vectors that its clusters were fitted on. NumPy only.

A query's neighbour lies across a border when another centroid is nearer to the neighbour than the
query's own. How near the query is to a border tells how likely that is: its *margin* to a cluster
is its distance from the plane half-way between the two centroids. `--probes auto` searches every
cluster whose margin is at most a limit; the more results are wanted, the farther away the last of
them are, and the larger that limit.
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

VERSION = 2
"""Version 1 knew the recall of ten results only, under `k`."""

CONFIDENCE = 1.645
"""Standard errors by which the measured recall must exceed the wanted one: that of the whole
collection then does in 95 of 100 draws of the sample (one-sided normal quantile)."""

_DIGITS = 6

Curve = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MarginLimit:
    """The largest margin of a cluster that is searched, with the mean recall and coverage, in
    [0, 1], that are expected of it; an infinite margin means every cluster."""

    margin: float
    recall: float
    coverage: float


EVERYTHING = MarginLimit(float("inf"), 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Measurements of `queries` vectors of the collection, each left out of its own results.

    `depths`: float32 (d,), rising numbers of results whose recall is known. `probe_recall`: float32
    (d, n_clusters), and `probe_coverage`: float32 (n_clusters,), of one probe, two, and so on.
    `margins`: float32 (m,), rising limits of the margin; `margin_recall` and `margin_error`:
    float32 (d, m), the mean recall of each and its standard error; `margin_coverage`: float32 (m,).
    `pair_scores`: float32 (s,), cosines of random pairs at the shares `pair_shares` in [0, 1].
    `nearest_scores`: float32 (t,), evenly spaced quantiles of the cosine of an image with its
    nearest other one. Copies of an image count once; the three are empty with fewer than three
    distinct images (`is_scored`).
    """

    queries: int
    depths: Curve
    probe_recall: Curve
    probe_coverage: Curve
    margins: Curve
    margin_recall: Curve
    margin_error: Curve
    margin_coverage: Curve
    pair_shares: Curve
    pair_scores: Curve
    nearest_scores: Curve

    def limit(self, wanted: float = WANTED_RECALL, number: float = 10) -> MarginLimit:
        """Return the limit whose recall of `number` results is `wanted` at the least coverage.

        Of all limits that surely reach it, the one with the largest difference of recall and
        coverage: the search is widened as long as a further share of the collection brings a larger
        share of recall. Every cluster is searched if no limit reaches it, or if more results are
        wanted than were measured. Raises ValueError unless `wanted` is in (0, 1].
        """
        if not 0 < wanted <= 1:
            raise ValueError(f"recall is {wanted}: it must be more than 0 and at most 1")
        if number > self.depths[-1]:
            return EVERYTHING
        recall = self._at(self.margin_recall, number)
        sure = recall - CONFIDENCE * self._at(self.margin_error, number) >= wanted
        if not sure.any():
            return EVERYTHING
        best = int(np.argmax(np.where(sure, recall - self.margin_coverage, -np.inf)))
        return MarginLimit(
            float(self.margins[best]), float(recall[best]), float(self.margin_coverage[best])
        )

    def recall_of(self, probes: int, number: float = 10) -> float | None:
        """Return the expected recall of `number` results in the `probes` nearest clusters; None if
        more are wanted than were measured."""
        if probes >= self.probe_recall.shape[1]:
            return 1.0
        if number > self.depths[-1]:
            return None
        return float(self._at(self.probe_recall, number)[probes - 1])

    def _at(self, curves: Curve, number: float) -> Curve:
        """Interpolate curves (d, m) between two depths, evenly in the logarithm of the depth."""
        depths = np.log(self.depths)
        place = float(np.interp(np.log(number), depths, np.arange(len(depths))))
        low = min(int(place), len(depths) - 1)
        high = min(low + 1, len(depths) - 1)
        found: Curve = curves[low] + np.float32(place - low) * (curves[high] - curves[low])
        return found

    @property
    def is_scored(self) -> bool:
        """Whether it is known how similar the collection's images usually are."""
        return len(self.pair_scores) > 0

    def percentile(self, score: float) -> float:
        """Return the share of pairs of the collection's images with a lower score, in [0, 100]."""
        return 100 * float(np.interp(score, self.pair_scores, self.pair_shares))

    def score_at(self, percentile: float) -> float:
        """Return the cosine with that percentile, in [0, 100]."""
        return float(np.interp(percentile / 100, self.pair_shares, self.pair_scores))

    def nearest_at(self, share: float) -> float:
        """Return the cosine that this share, in [0, 1], of images reach with no other one."""
        shares = np.linspace(0, 1, len(self.nearest_scores))
        return float(np.interp(share, shares, self.nearest_scores))

    @property
    def least_alike(self) -> float:
        """The cosine below which nothing looks like the query."""
        return self.nearest_at(NOTHING_SHARE)

    def to_json(self) -> dict[str, Any]:
        """The calibration as JSON values."""
        curves = {
            name: np.round(getattr(self, name).astype(np.float64), _DIGITS).tolist()
            for name in _CURVES
        }
        return {"version": VERSION, "queries": self.queries, **curves}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration | None:
        """Return what `to_json` wrote; None for a later version.

        Raises KeyError, TypeError or ValueError for anything else.
        """
        if value["version"] == 1:
            curves = {name: [value[name]] for name in ("probe_recall", *_MARGIN_CURVES)}
            value = {**value, "depths": [value["k"]], **curves}
        elif value["version"] != VERSION:
            return None
        found = {name: np.array(value[name], np.float32) for name in _CURVES}
        return cls(queries=int(value["queries"]), **found)


_MARGIN_CURVES = ("margin_recall", "margin_error")
_CURVES = (
    "depths",
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
