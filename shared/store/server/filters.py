"""What points must meet, in the words of Qdrant's server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client import models

from shared.conditions import Condition, Kind, Value, grouped
from shared.store.ids import possible_ids


def payload_filter(cluster: str | None, where: Sequence[Condition]) -> models.Filter | None:
    """What a point must meet; None for all points."""
    must: list[models.Condition] = []
    must_not: list[models.Condition] = []
    if cluster is not None:
        must.append(equals("cluster", cluster))
    for terms in grouped(where):
        key, any_of = terms.field.key, terms.any_of or ()
        if terms.field.kind == "word":
            if any_of:
                must.append(_any_of(key, any_of))
            if terms.none_of:
                must_not.append(_any_of(key, terms.none_of))
        else:
            # Sizes are compared as floats: a match on an integer would not find a float.
            must += [_between(key, terms.field.kind, gte=value, lte=value) for value in any_of]
            must += [
                _between(key, terms.field.kind, **{_RANGES[op]: value})
                for op, value in terms.bounds
            ]
            must_not += [
                _between(key, terms.field.kind, gte=value, lte=value) for value in terms.none_of
            ]
    return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def of_root(root: str) -> models.Filter:
    """Every point of one root id."""
    return models.Filter(must=[equals("root", root)])


def among(ids: Sequence[str]) -> models.Filter:
    """Those of these ids that there are; a plain list would be refused for one that is not."""
    return models.Filter(must=[models.HasIdCondition(has_id=[*possible_ids(ids)])])


def equals(key: str, value: str) -> models.FieldCondition:
    """The condition that a keyword, or an element of an array of them, is this one."""
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _any_of(key: str, values: Sequence[Value]) -> models.FieldCondition:
    words = models.MatchAny(any=[str(value) for value in values])
    return models.FieldCondition(key=key, match=words)


_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def _between(key: str, kind: Kind, **ends: Any) -> models.FieldCondition:
    if kind == "date":
        return models.FieldCondition(key=key, range=models.DatetimeRange(**ends))
    return models.FieldCondition(key=key, range=models.Range(**ends))
