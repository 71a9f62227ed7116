"""What the messages of several gRPC methods have in common, said in REST."""

from __future__ import annotations

from typing import Any, TypeAlias
from urllib.parse import quote

from google.protobuf.message import Message
from pydantic import BaseModel
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import GrpcToRest

Rest: TypeAlias = tuple[str, str, dict[str, str], Any]
"""Method, path, parameters and body of a REST request."""


def of_points(asked: Any, method: str, route: str, body: Any) -> Rest:
    """Something that is asked about the points of a collection."""
    path = f"/collections/{quote(asked.collection_name, safe='')}/{route}"
    return method, path, parameters(asked), body


def of_collection(asked: Any, method: str, body: Any = None) -> Rest:
    """Something that is asked about a whole collection."""
    path = f"/collections/{quote(asked.collection_name, safe='')}"
    return method, path, parameters(asked), body


def parameters(asked: Message) -> dict[str, str]:
    """What REST has in its query: how long and for what to wait."""
    given = {field.name: value for field, value in asked.ListFields()}
    made = {}
    if "wait" in given:
        made["wait"] = "true" if given["wait"] else "false"
    if "timeout" in given:
        made["timeout"] = str(given["timeout"])
    if "ordering" in given:
        made["ordering"] = GrpcToRest.convert_write_ordering(given["ordering"]).value
    if "read_consistency" in given:
        found = GrpcToRest.convert_read_consistency(given["read_consistency"])
        made["consistency"] = str(getattr(found, "value", found))
    return made


def selector(asked: messages.PointsSelector) -> dict[str, Any]:
    """Which points are meant, by id or by a filter."""
    made: dict[str, Any] = as_json(GrpcToRest.convert_points_selector(asked))
    return made


def filter_of(asked: Any) -> dict[str, Any]:
    """The filter, if there is one."""
    return (
        {"filter": as_json(GrpcToRest.convert_filter(asked.filter))}
        if asked.HasField("filter")
        else {}
    )


def wanted(asked: Any) -> dict[str, Any]:
    """What is to be told of each point."""
    made = {}
    if asked.HasField("with_payload"):
        made["with_payload"] = as_json(GrpcToRest.convert_with_payload_selector(asked.with_payload))
    if asked.HasField("with_vectors"):
        made["with_vector"] = as_json(GrpcToRest.convert_with_vectors_selector(asked.with_vectors))
    return made


def as_json(value: Any) -> Any:
    """A REST model as its JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    return value
