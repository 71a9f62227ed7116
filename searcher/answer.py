"""What a question gives back, and the JSON that the command line and the HTTP service share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.types import ImageRecord, ScoredImage

_SCORE_DIGITS = 6
_MILLISECOND_DIGITS = 2


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


@dataclass(frozen=True, slots=True)
class Answer:
    """The images most like one query, best first.

    `cluster`: label of the query's own cluster. `clusters_searched`: every label that was looked
    into. `searched` of `total` points were compared, exactly counted. `number`: how many results
    were wanted; there are fewer when the searched clusters hold fewer. `point`: the indexed image
    that was asked with, when the question was a point's id.
    """

    cluster: str
    clusters_searched: tuple[str, ...]
    searched: int
    total: int
    number: int
    results: tuple[ScoredImage, ...]
    took: Took
    point: ImageRecord | None = None

    @property
    def generation(self) -> str:
        """The clustering that answered: ``"g1"`` for ``"g1/3"``."""
        return self.cluster.partition("/")[0]

    def cluster_of(self, record: ImageRecord) -> str | None:
        """The record's label in the answering generation; None if it has none."""
        prefix = self.generation + "/"
        return next((label for label in record.cluster if label.startswith(prefix)), None)


def answer_json(query: str, answer: Answer) -> dict[str, Any]:
    """One answer as JSON values; keys whose feature does not exist yet are None, never missing."""
    took = answer.took
    return {
        "query": query,
        "cluster": answer.cluster,
        "clusters_searched": list(answer.clusters_searched),
        "probes": len(answer.clusters_searched),
        "searched": answer.searched,
        "total": answer.total,
        "recall": None,
        "took_ms": {
            name: round(getattr(took, name), _MILLISECOND_DIGITS)
            for name in ("decode", "encode", "search", "total")
        },
        "results": [
            _result_json(answer, rank, result) for rank, result in enumerate(answer.results, 1)
        ],
    }


def _result_json(answer: Answer, rank: int, result: ScoredImage) -> dict[str, Any]:
    record = result.record
    return {
        "rank": rank,
        "root": record.root if record else None,
        "path": record.path if record else None,
        "id": result.id,
        "score": round(result.score, _SCORE_DIGITS),
        "cluster": answer.cluster_of(record) if record else None,
        "tier": None,
        "percentile": None,
    }
