"""What is asked over gRPC, as the REST request that asks the same.

So both faces have one way of checking, failing and answering. Each function takes a message of
qdrant-client's service definitions and gives method, path, parameters and body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import quote

from pydantic import BaseModel
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import GrpcToRest

from tests.qdrant.grpc_parts import (
    Rest,
    as_json,
    filter_of,
    of_collection,
    of_points,
    parameters,
    selector,
    wanted,
)

Translation: TypeAlias = Callable[[Any], Rest]

_SECTIONS: dict[str, Callable[[Any], BaseModel]] = {
    "hnsw_config": GrpcToRest.convert_hnsw_config_diff,
    "optimizers_config": GrpcToRest.convert_optimizers_config_diff,
    "quantization_config": GrpcToRest.convert_quantization_config,
    "wal_config": GrpcToRest.convert_wal_config_diff,
}
_NUMBERS = ("shard_number", "replication_factor", "write_consistency_factor", "on_disk_payload")
_INDEXES = ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid")
"""Types of payload indexes in the order of `FieldType`."""


def _upsert(asked: Any) -> Rest:
    body: dict[str, Any] = {
        "points": [as_json(GrpcToRest.convert_point_struct(point)) for point in asked.points]
    }
    if asked.HasField("update_filter"):
        body["update_filter"] = as_json(GrpcToRest.convert_filter(asked.update_filter))
    if asked.HasField("update_mode"):
        body["update_mode"] = GrpcToRest.convert_update_mode(asked.update_mode).value
    return of_points(asked, "PUT", "points", body)


def _delete(asked: Any) -> Rest:
    return of_points(asked, "POST", "points/delete", selector(asked.points))


def _clear_payload(asked: Any) -> Rest:
    return of_points(asked, "POST", "points/payload/clear", selector(asked.points))


def _payload(method: str) -> Translation:
    def translate(asked: Any) -> Rest:
        payload = GrpcToRest.convert_payload(asked.payload)
        body = {"payload": payload, **selector(asked.points_selector)}
        if asked.HasField("key"):
            body["key"] = asked.key
        return of_points(asked, method, "points/payload", body)

    return translate


def _delete_payload(asked: Any) -> Rest:
    body = {"keys": list(asked.keys), **selector(asked.points_selector)}
    return of_points(asked, "POST", "points/payload/delete", body)


def _batch(asked: Any) -> Rest:
    operations = [
        as_json(GrpcToRest.convert_points_update_operation(one)) for one in asked.operations
    ]
    return of_points(asked, "POST", "points/batch", {"operations": operations})


def _get(asked: Any) -> Rest:
    ids = [GrpcToRest.convert_point_id(one) for one in asked.ids]
    return of_points(asked, "POST", "points", {"ids": ids, **wanted(asked)})


def _scroll(asked: Any) -> Rest:
    body = {**filter_of(asked), **wanted(asked)}
    if asked.HasField("offset"):
        body["offset"] = GrpcToRest.convert_point_id(asked.offset)
    if asked.HasField("limit"):
        body["limit"] = asked.limit
    if asked.HasField("order_by"):
        body["order_by"] = as_json(GrpcToRest.convert_order_by(asked.order_by))
    return of_points(asked, "POST", "points/scroll", body)


def _count(asked: Any) -> Rest:
    body = filter_of(asked)
    if asked.HasField("exact"):
        body["exact"] = asked.exact
    return of_points(asked, "POST", "points/count", body)


def _facet(asked: Any) -> Rest:
    body = {"key": asked.key, **filter_of(asked)}
    body |= {name: getattr(asked, name) for name in ("limit", "exact") if asked.HasField(name)}
    return of_points(asked, "POST", "facet", body)


def _query(asked: Any) -> Rest:
    return of_points(asked, "POST", "points/query", as_json(GrpcToRest.convert_query_points(asked)))


def _query_batch(asked: Any) -> Rest:
    searches = [as_json(GrpcToRest.convert_query_points(one)) for one in asked.query_points]
    return of_points(asked, "POST", "points/query/batch", {"searches": searches})


def _index(asked: Any) -> Rest:
    schema: Any = _INDEXES[asked.field_type] if asked.HasField("field_type") else None
    if asked.HasField("field_index_params"):
        schema = as_json(GrpcToRest.convert_payload_schema_params(asked.field_index_params))
    return of_points(
        asked, "PUT", "index", {"field_name": asked.field_name, "field_schema": schema}
    )


def _unindex(asked: Any) -> Rest:
    method, path, query, _ = of_points(asked, "DELETE", "index", None)
    return method, f"{path}/{quote(asked.field_name, safe='')}", query, None


def _create(asked: Any) -> Rest:
    body: dict[str, Any] = {}
    for field, value in asked.ListFields():
        if field.name in _NUMBERS:
            body[field.name] = value
        elif field.name in _SECTIONS:
            body[field.name] = as_json(_SECTIONS[field.name](value))
        elif field.name == "vectors_config":
            body["vectors"] = as_json(GrpcToRest.convert_vectors_config(value))
        elif field.name == "metadata":
            body["metadata"] = GrpcToRest.convert_payload(value)
        elif field.name not in ("collection_name", "timeout"):
            raise ValueError(f"{field.name} is not translated: add it to tests/qdrant")
    return of_collection(asked, "PUT", body)


def _update(asked: Any) -> Rest:
    return of_collection(asked, "PATCH", as_json(GrpcToRest.convert_update_collection(asked)))


def _aliases(asked: Any) -> Rest:
    actions = [as_json(GrpcToRest.convert_alias_operations(action)) for action in asked.actions]
    return "POST", "/collections/aliases", parameters(asked), {"actions": actions}


ASKED: dict[str, dict[str, tuple[type, Translation]]] = {
    "qdrant.Qdrant": {
        "HealthCheck": (messages.HealthCheckRequest, lambda _: ("GET", "/", {}, None)),
    },
    "qdrant.Collections": {
        "Get": (messages.GetCollectionInfoRequest, lambda asked: of_collection(asked, "GET")),
        "List": (messages.ListCollectionsRequest, lambda _: ("GET", "/collections", {}, None)),
        "Create": (messages.CreateCollection, _create),
        "Update": (messages.UpdateCollection, _update),
        "Delete": (messages.DeleteCollection, lambda asked: of_collection(asked, "DELETE")),
        "UpdateAliases": (messages.ChangeAliases, _aliases),
        "ListCollectionAliases": (
            messages.ListCollectionAliasesRequest,
            lambda asked: of_points(asked, "GET", "aliases", None),
        ),
        "ListAliases": (messages.ListAliasesRequest, lambda _: ("GET", "/aliases", {}, None)),
        "CollectionExists": (
            messages.CollectionExistsRequest,
            lambda asked: of_points(asked, "GET", "exists", None),
        ),
    },
    "qdrant.Points": {
        "Upsert": (messages.UpsertPoints, _upsert),
        "Delete": (messages.DeletePoints, _delete),
        "Get": (messages.GetPoints, _get),
        "SetPayload": (messages.SetPayloadPoints, _payload("POST")),
        "OverwritePayload": (messages.SetPayloadPoints, _payload("PUT")),
        "DeletePayload": (messages.DeletePayloadPoints, _delete_payload),
        "ClearPayload": (messages.ClearPayloadPoints, _clear_payload),
        "CreateFieldIndex": (messages.CreateFieldIndexCollection, _index),
        "DeleteFieldIndex": (messages.DeleteFieldIndexCollection, _unindex),
        "Scroll": (messages.ScrollPoints, _scroll),
        "Count": (messages.CountPoints, _count),
        "UpdateBatch": (messages.UpdateBatchPoints, _batch),
        "Query": (messages.QueryPoints, _query),
        "QueryBatch": (messages.QueryBatchPoints, _query_batch),
        "Facet": (messages.FacetCounts, _facet),
    },
}
"""By service and method: the message that asks, and how to say it in REST."""
