"""Which clusters a search looks into, and what recall is expected of that. NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searcher.answer import SHARE_DIGITS, Recall
from searcher.query.options import Request
from shared.calibration import EVERYTHING, Calibration, MarginLimit, margins
from shared.clustering import Clustering
from shared.types import Embeddings


@dataclass(frozen=True, slots=True)
class Probes:
    """Numbers of the clusters to search, the predicted one first. `recall` is None where it is not
    known; `is_all`: they are all clusters there are."""

    clusters: tuple[int, ...]
    is_all: bool
    recall: Recall | None


@dataclass(frozen=True, slots=True)
class ProbeChooser:
    """Chooses clusters of one clustering; without a calibration *auto* searches all of them."""

    clustering: Clustering
    calibration: Calibration | None = None

    def choose(
        self,
        examples: Embeddings,
        request: Request,
        size: Callable[[int], int] | None = None,
        *,
        wanted: int | None = None,
        share: float = 1.0,
    ) -> Probes:
        """Choose the clusters of one search for float32 (n, 512), its examples to be like.

        Several examples search the union of their clusters. *auto* searches every cluster whose
        border is near, as near as `request.wanted_recall` of the best results needs. If conditions
        leave a `share` in (0, 1] of the collection, the results lie as far away as 1 / share times
        as many without them. `size` counts the points of a cluster that meet the conditions: *auto*
        goes on, cluster by cluster, until `wanted` of them are searched.
        """
        n_clusters = self.clustering.n_clusters
        recall: float | None
        if request.probes == "all":
            order = self._by_distance(examples, n_clusters)
            return Probes(order, True, Recall(1.0, "expected"))
        if request.probes == "auto":
            depth = request.number / share
            limit = self._limit(request.wanted_recall, depth)
            found = self._by_margin(examples, limit.margin, size, wanted or request.number)
            recall = limit.recall
        else:
            found = self._by_distance(examples, min(request.probes, n_clusters))
            recall = self._recall_of(len(found), request.number)
        if len(found) == n_clusters:
            return Probes(found, True, Recall(1.0, "expected"))
        known = None if request.where else recall  # the calibration knows of no conditions
        return Probes(found, False, _expected(known))

    def _limit(self, wanted_recall: float, depth: float) -> MarginLimit:
        if self.calibration is None:
            return EVERYTHING
        return self.calibration.limit(wanted_recall, depth)

    def _recall_of(self, probes: int, number: int) -> float | None:
        return None if self.calibration is None else self.calibration.recall_of(probes, number)

    def _by_distance(self, examples: Embeddings, each: int) -> tuple[int, ...]:
        """The nearest clusters of every example, all first choices first."""
        nearest = self.clustering.nearest(examples, each)
        return tuple(dict.fromkeys(nearest.T.ravel().tolist()))

    def _by_margin(
        self,
        examples: Embeddings,
        limit: float,
        size: Callable[[int], int] | None,
        wanted: int,
    ) -> tuple[int, ...]:
        """The clusters within the limit of any example, and more until `wanted` are searched."""
        own = dict.fromkeys(self.clustering.predict(examples).tolist())
        nearest: NDArray[np.float32] = margins(self.clustering, examples).min(axis=0)
        order = [*own, *(n for n in np.argsort(nearest, kind="stable").tolist() if n not in own)]
        count = sum(n in own or nearest[n] <= limit for n in order)
        if size is not None:
            searched = sum(map(size, order[:count]))
            while searched < wanted and count < len(order):
                searched += size(order[count])
                count += 1
        return tuple(order[:count])


def _expected(value: float | None) -> Recall | None:
    return None if value is None else Recall(round(value, SHARE_DIGITS), "expected")
