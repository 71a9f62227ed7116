"""What the OpenAPI document says of fields of a query that depend on one another."""

from __future__ import annotations

from pydantic.config import JsonDict

_WITHOUT: JsonDict = {"properties": {"recall": {"type": "null"}}}
_WITH_AUTO: JsonDict = {"properties": {"probes": {"const": "auto"}}}
RECALL_NEEDS_AUTO: JsonDict = {"dependentSchemas": {"recall": {"anyOf": [_WITHOUT, _WITH_AUTO]}}}

_WITH_IDS: JsonDict = {
    "required": ["ids"],
    "properties": {"ids": {"minItems": 1}, "random": {"const": False}},
}
_AT_RANDOM: JsonDict = {
    "required": ["random"],
    "properties": {
        "random": {"const": True},
        "ids": {"maxItems": 0},
        "not_ids": {"maxItems": 0},
    },
}
HAS_EXAMPLE: JsonDict = {"oneOf": [_WITH_IDS, _AT_RANDOM]}
