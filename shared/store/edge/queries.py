"""Questions and answers in the words of the embedded engine.

The choices were measured, see `docs/decisions/0005-search-inside-a-cluster.md`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, TypeAlias

import qdrant_edge as engine

from shared.store.edge.filters import payload_filter
from shared.store.protocol import Probe

RESCORED = 10
"""Fewest vectors of a segment that are looked at again in Float16 after its scan in Int8."""
RESCORED_IN_ALL = 100
"""Fewest of all segments together: where there are few, it costs nothing, and finds the right ones
among many that are all but equally near."""
MOST_RESCORED = 200
"""Where more would have to be looked at again, all are scanned in Float16 from the start."""

Hit: TypeAlias = tuple[str, float, dict[str, Any] | None]
"""Id, cosine similarity and, if asked for, payload of a point that was found."""


def request(
    probe: Probe, vector: list[float], with_payloads: bool, segments: int
) -> engine.QueryRequest:
    """A probe as the engine takes it, for a collection of so many segments."""
    return engine.QueryRequest(
        limit=probe.limit,
        query=engine.Query.Nearest(vector),
        filter=payload_filter(probe.cluster, probe.where),
        with_payload=with_payloads,
        with_vector=False,
        params=_params(probe, segments),
    )


def _params(probe: Probe, segments: int) -> engine.SearchParams:
    """Int8 first inside a cluster; collections made before there was Int8 pass over this.

    Each segment looks again at as many vectors as the answer is long and, because Int8 may have
    them in the wrong order, at its share of as many more, or of `RESCORED_IN_ALL`.
    """
    scanned = max(1, segments - 1)  # one more takes in what is new, and is not scanned in Int8
    wanted = max(
        RESCORED,
        probe.limit + math.ceil(probe.limit / scanned),
        math.ceil(RESCORED_IN_ALL / scanned),
    )
    if probe.cluster is None or probe.exact or probe.limit < 1 or wanted > MOST_RESCORED:
        return engine.SearchParams(quantization=engine.QuantizationSearchParams(ignore=True))
    return engine.SearchParams(
        quantization=engine.QuantizationSearchParams(
            rescore=True, oversampling=wanted / probe.limit
        )
    )


def best_first(points: Sequence[engine.ScoredPoint]) -> list[Hit]:
    """Ordered by score, by id among equals, whatever order the engine has them in."""
    # Rounding to Float16 can carry a score past the ends.
    hits = [(str(one.id), max(-1.0, min(1.0, one.score)), one.payload) for one in points]
    hits.sort(key=itemgetter(0))
    hits.sort(key=itemgetter(1), reverse=True)  # what is equal stays in the order of the ids
    return hits
