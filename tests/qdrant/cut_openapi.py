"""Cuts Qdrant's OpenAPI document down to the operations that the stub answers.

    python -m tests.qdrant.cut_openapi qdrant-openapi-1.18.3.json

writes `openapi.json` beside this file. The document is Qdrant's own, of its release 1.18.3
(https://github.com/qdrant/qdrant, docs/redoc), under the Apache License 2.0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPERATIONS = {
    "batch_update",
    "clear_payload",
    "cluster_status",
    "collection_exists",
    "count_points",
    "create_collection",
    "create_field_index",
    "delete_collection",
    "delete_field_index",
    "delete_payload",
    "delete_points",
    "facet",
    "get_collection",
    "get_collection_aliases",
    "get_collections",
    "get_collections_aliases",
    "get_points",
    "healthz",
    "livez",
    "overwrite_payload",
    "query_batch_points",
    "query_points",
    "readyz",
    "root",
    "scroll_points",
    "set_payload",
    "update_aliases",
    "update_collection",
    "upsert_points",
}
TARGET = Path(__file__).with_name("openapi.json")
_REFERENCE = "#/components/schemas/"


def cut(document: dict[str, Any]) -> dict[str, Any]:
    """The document without other operations, without answers and without words."""
    paths: dict[str, Any] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("operationId") in OPERATIONS:
                kept = {key: operation[key] for key in _KEPT if key in operation}
                paths.setdefault(path, {})[method] = _wordless(kept)
    schemas = document["components"]["schemas"]
    used: dict[str, Any] = {}
    wanted = list(_references(paths))
    while wanted:
        name = wanted.pop()
        if name not in used:
            used[name] = _wordless(schemas[name])
            wanted.extend(_references(used[name]))
    return {
        "openapi": document["openapi"],
        "info": {
            "title": "Qdrant API, cut down by tests/qdrant/cut_openapi.py",
            "version": "1.18.3",
            "license": document["info"]["license"],
            "x-source": "https://github.com/qdrant/qdrant, release 1.18.3, docs/redoc",
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(used.items()))},
    }


_KEPT = ("operationId", "parameters", "requestBody")


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(_REFERENCE)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _wordless(part: Any, *, names: bool = False) -> Any:
    """Without descriptions and examples. `names`: the keys of `part` are names of properties."""
    if isinstance(part, list):
        return [_wordless(value) for value in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _wordless(value, names=not names and key == "properties")
        for key, value in part.items()
        if names or key not in ("description", "example", "examples")
    }


if __name__ == "__main__":
    whole = json.loads(Path(sys.argv[1]).read_text())
    TARGET.write_text(json.dumps(cut(whole), indent=1, ensure_ascii=False) + "\n")
