"""What a question gives back, and the JSON that the command line and the HTTP service share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.calibration import Calibration
from shared.types import ImageRecord, ScoredImage

_SCORE_DIGITS = 6
_MILLISECOND_DIGITS = 2
_SHARE_DIGITS = 4
_PERCENTILE_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds spent on one answer; neither the process's start nor a download counts.

    `decode` and `encode` are 0 when the question was asked with a vector.
    """

    decode: float = 0.0
    encode: float = 0.0
    search: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the three."""
        return self.decode + self.encode + self.search


Tier = Literal["exact", "near", "similar"]
"""The same picture; the same, altered; another that looks like it."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Share, in [0, 1], of the results of a search of everything that a restricted one finds: as
    *expected* from the calibration, or *measured* by asking again."""

    value: float
    kind: Literal["expected", "measured"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The images most like one query, best first.

    `cluster`: label of the query's own cluster. `clusters_searched`: every label that was looked
    into. `searched` of `total` points were compared, exactly counted. `number`: how many results
    were wanted; there are fewer when fewer were compared, or when `left_out` results scored less
    than was asked for. `point`: the indexed image that was asked with, when the question was a
    point's id. `recall` is None where it is not known. `calibration` is that of the clusters, None
    where they have none. `tiers`: by result id, of those that have one. `vector`: float32
    (512,), what was asked with.
    """

    cluster: str
    clusters_searched: tuple[str, ...]
    searched: int
    total: int
    number: int
    results: tuple[ScoredImage, ...]
    took: Took
    point: ImageRecord | None = None
    recall: Recall | None = None
    left_out: int = 0
    best_score: float | None = None
    calibration: Calibration | None = None
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def stands_out(self) -> bool | None:
        """Whether any result looks like the query; None where that is not known.

        Nothing does if the best cosine, `best_score`, is below what nearly all of the collection's
        pictures reach with another.
        """
        if self.calibration is None or self.best_score is None:
            return None
        return self.best_score >= self.calibration.least_alike

    def percentile(self, result: ScoredImage) -> float | None:
        """Share of pairs of indexed pictures less alike, in [0, 100]; None where not known."""
        return self.calibration.percentile(result.score) if self.calibration else None

    @property
    def generation(self) -> str:
        """The clustering that answered: ``"g1"`` for ``"g1/3"``."""
        return self.cluster.partition("/")[0]

    def cluster_of(self, record: ImageRecord) -> str | None:
        """The record's label in the answering generation; None if it has none."""
        prefix = self.generation + "/"
        return next((label for label in record.cluster if label.startswith(prefix)), None)


def answer_json(
    query: str, answer: Answer, explained: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """One answer as JSON values; what is not known, or was not asked for, is None, never missing.

    `explained`: by result id, what `--explain` tells.
    """
    told = explained or {}
    took = answer.took
    return {
        "query": query,
        "cluster": answer.cluster,
        "clusters_searched": list(answer.clusters_searched),
        "probes": len(answer.clusters_searched),
        "searched": answer.searched,
        "total": answer.total,
        "recall": {"value": round(answer.recall.value, _SHARE_DIGITS), "kind": answer.recall.kind}
        if answer.recall
        else None,
        "stands_out": answer.stands_out,
        "took_ms": {
            name: round(getattr(took, name), _MILLISECOND_DIGITS)
            for name in ("decode", "encode", "search", "total")
        },
        "results": [
            _result_json(answer, rank, result) | {"explain": told.get(result.id)}
            for rank, result in enumerate(answer.results, 1)
        ],
    }


def _result_json(answer: Answer, rank: int, result: ScoredImage) -> dict[str, Any]:
    record, percentile = result.record, answer.percentile(result)
    return {
        "rank": rank,
        "root": record.root if record else None,
        "path": record.path if record else None,
        "id": result.id,
        "score": round(result.score, _SCORE_DIGITS),
        "cluster": answer.cluster_of(record) if record else None,
        "tier": answer.tiers.get(result.id),
        "percentile": None if percentile is None else round(percentile, _PERCENTILE_DIGITS),
    }
