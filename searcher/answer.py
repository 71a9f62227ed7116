"""What a question gives back, and the JSON that the command line and the HTTP service share.

Plain data, rounded once where it is made, so that an answer read from JSON shows what the answer
that was written shows. Imports neither NumPy nor Pillow: a query to a service needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from shared.thresholds import NOTHING_SHARE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.types import ImageRecord, ScoredImage

SCORE_DIGITS = 6
SHARE_DIGITS = 4
PERCENTILE_DIGITS = 3
MILLISECOND_DIGITS = 2


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
        return round(self.decode + self.encode + self.search, MILLISECOND_DIGITS)

    def rounded(self) -> Took:
        """To hundredths of a millisecond."""
        spent = (self.decode, self.encode, self.search)
        return Took(*(round(one, MILLISECOND_DIGITS) for one in spent))


Tier = Literal["exact", "near", "similar"]
"""The same picture; the same, altered; another that looks like it."""


RecallKind = Literal["expected", "measured"]


@dataclass(frozen=True, slots=True)
class Recall:
    """Share, in [0, 1], of the results of a search of everything that a restricted one finds: as
    *expected* from the calibration, or *measured* by asking again."""

    value: float
    kind: RecallKind


@dataclass(frozen=True, slots=True)
class Answer:
    """The images most like one query, best first.

    `cluster`: label of the predicted cluster, that of the first query image. `clusters_searched`:
    every label that was searched, the predicted one first. `total`: the indexed images; `matching`
    of them meet the conditions; `searched` of these were compared. `number`: how many results were
    wanted; there are fewer when fewer were compared, or when `left_out` results scored too low.
    `point`: the indexed image that is the query, if its id was given. `recall` is None where it is
    not known.

    `best_score`: the best cosine found, also if it was left out. `least_alike`: the cosine below
    which nothing looks like the query. `percentiles`: by result id, the share of pairs of indexed
    pictures that are less alike, in [0, 100]. Both come from the clusters' calibration; without one
    they are None and empty. `tiers`: by result id, of those that have one. `vector`: float32
    (512,), what was asked with.

    Scores have 6 digits, shares 4, percentiles 3 and are rounded down, milliseconds 2.
    """

    cluster: str
    clusters_searched: tuple[str, ...]
    searched: int
    matching: int
    total: int
    number: int
    results: tuple[ScoredImage, ...]
    took: Took
    point: ImageRecord | None = None
    recall: Recall | None = None
    left_out: int = 0
    best_score: float | None = None
    least_alike: float | None = None
    percentiles: Mapping[str, float] = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def stands_out(self) -> bool | None:
        """Whether any result looks like the query; None where that is not known.

        Nothing does if the best cosine is below what nearly all of the collection's pictures reach
        with another.
        """
        if self.least_alike is None or self.best_score is None:
            return None
        return self.best_score >= self.least_alike

    def percentile(self, result: ScoredImage) -> float | None:
        """Share of pairs of indexed pictures less alike, in [0, 100]; None where not known."""
        return self.percentiles.get(result.id)

    @property
    def generation(self) -> str:
        """The clustering that answered: ``"g1"`` for ``"g1/3"``."""
        return self.cluster.partition("/")[0]

    def cluster_of(self, record: ImageRecord) -> str | None:
        """The record's label in the answering generation; None if it has none."""
        prefix = self.generation + "/"
        return next((label for label in record.cluster if label.startswith(prefix)), None)


def remarks(answer: Answer) -> list[str]:
    """What a person should know about the results: that none is like the query, or why there are
    fewer than wanted."""
    notes = []
    if answer.stands_out is False:
        notes.append(
            f"nothing here looks like it: the best score is below {answer.least_alike:.3f}, "
            f"which {100 - 100 * NOTHING_SHARE:.0f} % of the images reach with another"
        )
    if answer.left_out:
        noun = "result was" if answer.left_out == 1 else "results were"
        notes.append(f"{answer.left_out:,} more {noun} not alike enough")
    elif len(answer.results) < answer.number:
        notes.append(_too_few(answer))
    return notes


def _too_few(answer: Answer) -> str:
    """Why there are fewer results than wanted, though none was left out."""
    found = len(answer.results)
    if answer.searched < answer.matching:
        few = len(answer.clusters_searched) == 1
        where = "the cluster searched" if few else "the clusters searched"
        return f"only {found:,} of {answer.number:,} wanted are in {where}: give more --probes"
    if answer.matching < answer.total:
        matches = "matches" if found == 1 else "match"
        nothing = "no other image matches" if answer.matching else "no image matches"
        return f"only {found:,} {matches} anywhere" if found else nothing
    images = "image is" if found == 1 else "images are"
    return f"only {found:,} other {images} indexed" if found else "no other image is indexed"


def answer_json(
    query: str,
    answer: Answer,
    explained: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    records: bool = False,
) -> dict[str, Any]:
    """One answer as JSON values; what is not known, or was not asked for, is None, never missing.

    `explained`: by result id, what `--explain` tells. `records`: each result's payload as the store
    keeps it. `links` are for the service to fill in.
    """
    told, recall = explained or {}, answer.recall
    return {
        "query": query,
        "cluster": answer.cluster,
        "clusters_searched": list(answer.clusters_searched),
        "probes": len(answer.clusters_searched),
        "searched": answer.searched,
        "matching": answer.matching,
        "total": answer.total,
        "number": answer.number,
        "recall": None if recall is None else {"value": recall.value, "kind": recall.kind},
        "stands_out": answer.stands_out,
        "least_alike": answer.least_alike,
        "best_score": answer.best_score,
        "left_out": answer.left_out,
        "remarks": remarks(answer),
        "took_ms": {
            name: getattr(answer.took, name) for name in ("decode", "encode", "search", "total")
        },
        "results": [
            _result_json(answer, rank, result, told.get(result.id), records=records)
            for rank, result in enumerate(answer.results, 1)
        ],
    }


def _result_json(
    answer: Answer,
    rank: int,
    result: ScoredImage,
    explained: Mapping[str, Any] | None,
    *,
    records: bool,
) -> dict[str, Any]:
    record = result.record
    return {
        "rank": rank,
        "root": record.root if record else None,
        "path": record.path if record else None,
        "id": result.id,
        "score": result.score,
        "cluster": answer.cluster_of(record) if record else None,
        "tier": answer.tiers.get(result.id),
        "percentile": answer.percentile(result),
        "explain": explained,
        "record": record.to_payload() if record and records else None,
        "links": None,
    }
