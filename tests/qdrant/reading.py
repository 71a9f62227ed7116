"""The questions: points by id, in order, by likeness, counted. What local mode answers is mended
here where the server answers otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from qdrant_client import models

from tests.qdrant.asking import Refusal
from tests.qdrant.core import Core


def retrieve(core: Core, name: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Points by id; those that are not there are passed over. Payload unless it is refused."""
    with core.reading(name) as (collection, _, real):
        asked = models.PointRequest(**body)
        wanted = _payload(asked.with_payload, unasked=True)
        # The server takes ids as a set.
        ids = list(dict.fromkeys(asked.ids))
        found = collection.retrieve(ids, wanted, asked.with_vector or False)
        return [_record(point, core.halves(real)) for point in found]


def scroll(core: Core, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """A page of points in the order of their ids, and where the next page starts."""
    with core.reading(name) as (_, local, real):
        asked = models.ScrollRequest(**body)
        points, following = local.scroll(
            real,
            scroll_filter=asked.filter,
            limit=10 if asked.limit is None else asked.limit,
            order_by=asked.order_by,
            offset=asked.offset,
            with_payload=_payload(asked.with_payload, unasked=True),
            with_vectors=asked.with_vector or False,
        )
        return {
            "points": [_record(point, core.halves(real)) for point in points],
            "next_page_offset": following,
        }


def count(core: Core, name: str, body: dict[str, Any]) -> dict[str, int]:
    """How many points meet a filter; always exact."""
    with core.reading(name) as (collection, _, _real):
        return {"count": int(collection.count(models.CountRequest(**body).filter).count)}


def facet(core: Core, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """How many points have each value of a field, which needs an index, unlike in local mode.

    A real server (1.18.3) goes on listing a value that has lost its last point, with a count of 0.
    """
    with core.reading(name) as (collection, _, real):
        asked = models.FacetRequest(**body)
        if core.indexed(real, asked.key) is None:
            raise Refusal(
                400,
                f"Bad request: No appropriate index for faceting: `{asked.key}`. "
                "Please create one to facet on this field.",
            )
        found = collection.facet(asked.key, asked.filter, asked.limit or 10)
        counts = {hit.value: hit.count for hit in found.hits}
        seen = core.facets.setdefault((real, asked.key), set())
        seen.update(counts)
        return {"hits": [{"value": one, "count": counts.get(one, 0)} for one in sorted(seen)]}


def query(core: Core, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """The points that are most like a vector."""
    return query_batch(core, name, {"searches": [body]})[0]


def query_batch(core: Core, name: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Several queries, answered in their order. No payload unless it is asked for."""
    with core.reading(name) as (_, local, real):
        asked = models.QueryRequestBatch(**body)
        for search in asked.searches:
            search.with_payload = _payload(search.with_payload, unasked=False)
            search.with_vector = search.with_vector or False
        answers = local.query_batch_points(real, asked.searches)
        halves = core.halves(real)
        return [{"points": [_scored(point, halves) for point in one.points]} for one in answers]


def _payload(selector: Any, *, unasked: bool) -> Any:
    return unasked if selector is None else selector


def _record(point: models.Record, halves: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"id": point.id}
    if point.payload is not None:
        made["payload"] = point.payload
    if point.vector is not None:
        made["vector"] = _vectors(point.vector, halves)
    return made


def _scored(point: models.ScoredPoint, halves: bool) -> dict[str, Any]:
    score = float(np.float32(point.score))  # the server counts in single precision
    return {"version": 0, "score": score, **_record(point, halves)}  # type: ignore[arg-type]


def _vectors(vector: Any, halves: bool) -> Any:
    """Local mode keeps single precision whatever was asked for; the server gives back halves."""
    if not halves:
        return vector
    if isinstance(vector, Mapping):
        return {name: _vectors(part, halves) for name, part in vector.items()}
    return np.asarray(vector, np.float16).astype(np.float32).tolist()
