"""How good a ranked answer is: precision, average precision, recall, coverage. NumPy only.

A query's answer is a row of truth values, best result first: whether each result is relevant, that
is, has the query's label. The query's own image is taken out by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Relevance = NDArray[np.bool_]
"""bool (n,): whether the results of one query are relevant, best first."""


def precision_at_k(relevant: Relevance, k: int) -> float:
    """P@k: share of the k best results that are relevant, in [0, 1].

    Divided by k even if there are fewer results: a place that nothing fills is a wrong answer
    (trec_eval's `P_k`). Raises ValueError if k < 1 or `relevant` has another shape than (n,).
    """
    return float(np.count_nonzero(_best(relevant, k)) / k)


def average_precision_at(relevant: Relevance, depth: int) -> float:
    """AP over the first `depth` results, in [0, 1]: mean of P@r over the ranks r of relevant ones.

    The mean is over the relevant results that were found, not over all that exist, so it tells how
    the found ones are ordered; with none found it is 0. Fewer results than `depth` are taken as
    they are. This is the average precision of instance retrieval cut at a depth, as in Philbin et
    al., *Object retrieval with large vocabularies* (2007), without its recall term. Raises
    ValueError if depth < 1 or `relevant` has another shape than (n,).
    """
    best = _best(relevant, depth)
    ranks = np.flatnonzero(best) + 1
    if not len(ranks):
        return 0.0
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def mean_precision_at_k(answers: Sequence[Relevance], k: int) -> float:
    """Mean of `precision_at_k` over queries. Raises ValueError without any."""
    return _mean([precision_at_k(relevant, k) for relevant in answers])


def mean_average_precision_at(answers: Sequence[Relevance], depth: int) -> float:
    """mAP@depth: mean of `average_precision_at` over queries. Raises ValueError without any."""
    return _mean([average_precision_at(relevant, depth) for relevant in answers])


def recall_at_k(found: Collection[object], exact: Sequence[object], k: int) -> float:
    """Recall@k: share of the exact top k that a restricted search returned, in [0, 1].

    `exact`: distinct ids of an exact search, best first; if it has fewer than k, all of them count.
    `found`: ids of the restricted answer's own top k, in any order. With no exact results nothing
    was lost, and recall is 1. Raises ValueError if k < 1.
    """
    _check(k)
    wanted = set(exact[:k])
    if not wanted:
        return 1.0
    return len(wanted & set(found)) / len(wanted)


def mean_recall_at_k(
    found: Sequence[Sequence[object]], exact: Sequence[Sequence[object]], k: int
) -> float:
    """Mean of `recall_at_k` over queries, each answer cut to its first k.

    Raises ValueError without any query, or if the two have different lengths.
    """
    return _mean([recall_at_k(a[:k], b, k) for a, b in zip(found, exact, strict=True)])


def mean_coverage(searched: Sequence[int], total: int) -> float:
    """Coverage: share of the collection's `total` points that was looked at, mean over queries.

    `searched`: points compared, per query. Raises ValueError without a query or with total < 1.
    """
    if total < 1:
        raise ValueError(f"total is {total}: coverage needs at least one point")
    return _mean([count / total for count in searched])


def _best(relevant: Relevance, k: int) -> Relevance:
    _check(k)
    if relevant.ndim != 1:
        raise ValueError(f"relevance has shape {relevant.shape}, expected (n,)")
    return relevant[:k]


def _check(k: int) -> None:
    if k < 1:
        raise ValueError(f"{k} results were asked for: at least one is needed")


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise ValueError("no query was given: a mean needs at least one")
    return float(np.mean(values))
