"""What points must meet, in the words of the embedded engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qdrant_edge as engine

from shared.conditions import Condition, Kind, Value, grouped


def payload_filter(cluster: str | None, where: Sequence[Condition]) -> engine.Filter | None:
    """What a point must meet; None for all points."""
    must: list[engine.ConditionType] = []
    must_not: list[engine.ConditionType] = []
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
    return engine.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def _any_of(key: str, values: Sequence[Value]) -> engine.FieldCondition:
    words = engine.MatchAny([str(value) for value in values])
    return engine.FieldCondition(key, match=words)


_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def _between(key: str, kind: Kind, **ends: Any) -> engine.FieldCondition:
    if kind == "date":
        return engine.FieldCondition(key, range=engine.RangeDateTime(**ends))
    return engine.FieldCondition(key, range=engine.RangeFloat(**ends))


def equals(key: str, value: str) -> engine.FieldCondition:
    """The condition that a keyword, or an element of an array of them, is this one."""
    return engine.FieldCondition(key, match=engine.MatchValue(value))
