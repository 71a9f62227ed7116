"""From an operation of the document to what the store does for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.qdrant import reading
from tests.qdrant.asking import Asked, Refusal, Reply
from tests.qdrant.core import Core

Route: TypeAlias = Callable[[Core, str, Asked], Any]
"""Takes the store, the collection's name and the request; gives the `result` of the answer."""


def _create(core: Core, name: str, asked: Asked) -> bool:
    core.create(name, asked.body)
    return True


def _update(core: Core, name: str, asked: Asked) -> bool:
    core.update(name, asked.body)
    return True


def _index(core: Core, name: str, asked: Asked) -> dict[str, Any]:
    schema = asked.body.get("field_schema")
    if schema is None:
        raise Refusal(400, "Bad request: cannot auto-detect type of field")
    core.index(name, asked.body["field_name"], schema)
    return _done(asked, 0)


def _aliases(core: Core, _: str, asked: Asked) -> bool:
    core.change_aliases(asked.body["actions"])
    return True


def _writing(kind: str) -> Route:
    """A route that is one operation of a batch by itself."""

    def write(core: Core, name: str, asked: Asked) -> dict[str, Any]:
        [number] = core.write(name, [{kind: asked.body}])
        return _done(asked, number)

    return write


def _batch(core: Core, name: str, asked: Asked) -> list[dict[str, Any]]:
    return [_done(asked, number) for number in core.write(name, asked.body["operations"])]


def _reading(read: Callable[[Core, str, dict[str, Any]], Any]) -> Route:
    return lambda core, name, asked: read(core, name, asked.body)


def _done(asked: Asked, number: int) -> dict[str, Any]:
    # Without waiting it is done all the same, but nobody may rely on that.
    waited = asked.query.get("wait") == "true"
    return {"operation_id": number, "status": "completed" if waited else "acknowledged"}


ROUTES: dict[str, Route] = {
    "batch_update": _batch,
    "clear_payload": _writing("clear_payload"),
    "cluster_status": lambda *_: {"status": "disabled"},
    "collection_exists": lambda core, name, _: {"exists": core.exists(name)},
    "count_points": _reading(reading.count),
    "create_collection": _create,
    "create_field_index": _index,
    "delete_collection": lambda core, name, _: core.drop(name),
    "delete_payload": _writing("delete_payload"),
    "delete_points": _writing("delete"),
    "facet": _reading(reading.facet),
    "get_collection": lambda core, name, _: core.info(name),
    "get_collection_aliases": lambda core, name, _: {"aliases": core.aliases(name)},
    "get_collections": lambda core, *_: {"collections": [{"name": n} for n in core.names()]},
    "get_collections_aliases": lambda core, *_: {"aliases": core.aliases()},
    "get_points": _reading(reading.retrieve),
    "overwrite_payload": _writing("overwrite_payload"),
    "query_batch_points": _reading(reading.query_batch),
    "query_points": _reading(reading.query),
    "scroll_points": _reading(reading.scroll),
    "set_payload": _writing("set_payload"),
    "update_aliases": _aliases,
    "update_collection": _update,
    "upsert_points": _writing("upsert"),
}
PLAIN = {
    "healthz": "healthz check passed",
    "livez": "healthz check passed",
    "readyz": "all shards are ready",
}


@dataclass(frozen=True, slots=True)
class Routes:
    """Carries out the operations of the document."""

    core: Core
    version: str

    def carry_out(self, operation: str, parts: Mapping[str, str], asked: Asked) -> Reply:
        """Do what is asked. Raises `Refusal`."""
        if operation == "root":
            title = "qdrant - vector search engine"
            info = {"title": title, "version": self.version, "commit": "0" * 40}
            return Reply(result=info, form="bare")
        if operation in PLAIN:
            return Reply(result=PLAIN[operation], form="text")
        name = parts.get("collection_name", "")
        if operation == "delete_field_index":
            self.core.unindex(name, parts["field_name"])
            return Reply(result=_done(asked, 0))
        return Reply(result=ROUTES[operation](self.core, name, asked))
