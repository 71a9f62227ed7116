"""What the REST face would answer, as the message that says the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import Message
from qdrant_client import grpc as messages
from qdrant_client import models
from qdrant_client.conversions.conversion import RestToGrpc

Answer: TypeAlias = Callable[[Any], Message]


def _done(result: dict[str, Any]) -> messages.UpdateResult:
    return RestToGrpc.convert_update_result(models.UpdateResult(**result))


def _operation(result: dict[str, Any]) -> Message:
    return messages.PointsOperationResponse(result=_done(result))


def _changed(result: bool) -> Message:
    return messages.CollectionOperationResponse(result=result)


def _aliases(result: dict[str, Any]) -> Message:
    found = [messages.AliasDescription(**alias) for alias in result["aliases"]]
    return messages.ListAliasesResponse(aliases=found)


def _record(point: dict[str, Any]) -> messages.RetrievedPoint:
    # gRPC cannot tell a payload that is empty from one that was not asked for.
    return RestToGrpc.convert_record(models.Record(**({"payload": {}} | point)))


def _scored(result: dict[str, Any]) -> list[messages.ScoredPoint]:
    points = [models.ScoredPoint(**({"payload": {}} | point)) for point in result["points"]]
    return [RestToGrpc.convert_scored_point(point) for point in points]


def _scroll(result: dict[str, Any]) -> Message:
    following = result["next_page_offset"]
    return messages.ScrollResponse(
        result=[_record(point) for point in result["points"]],
        next_page_offset=(
            None if following is None else RestToGrpc.convert_extended_point_id(following)
        ),
    )


def _facet(result: dict[str, Any]) -> Message:
    hits = [
        RestToGrpc.convert_facet_value_hit(models.FacetValueHit(**hit)) for hit in result["hits"]
    ]
    return messages.FacetResponse(hits=hits)


def _info(result: dict[str, Any]) -> Message:
    info = RestToGrpc.convert_collection_info(models.CollectionInfo(**result))
    return messages.GetCollectionInfoResponse(result=info)


ANSWERS: dict[str, Answer] = {
    "Qdrant/HealthCheck": lambda result: messages.HealthCheckReply(**result),
    "Collections/Get": _info,
    "Collections/List": lambda result: messages.ListCollectionsResponse(
        collections=[messages.CollectionDescription(**one) for one in result["collections"]]
    ),
    "Collections/Create": _changed,
    "Collections/Update": _changed,
    "Collections/Delete": _changed,
    "Collections/UpdateAliases": _changed,
    "Collections/ListCollectionAliases": _aliases,
    "Collections/ListAliases": _aliases,
    "Collections/CollectionExists": lambda result: messages.CollectionExistsResponse(
        result=messages.CollectionExists(**result)
    ),
    "Points/Get": lambda result: messages.GetResponse(result=[_record(one) for one in result]),
    "Points/Scroll": _scroll,
    "Points/Count": lambda result: messages.CountResponse(result=messages.CountResult(**result)),
    "Points/UpdateBatch": lambda result: messages.UpdateBatchResponse(
        result=[_done(one) for one in result]
    ),
    "Points/Query": lambda result: messages.QueryResponse(result=_scored(result)),
    "Points/QueryBatch": lambda result: messages.QueryBatchResponse(
        result=[messages.BatchResult(result=_scored(one)) for one in result]
    ),
    "Points/Facet": _facet,
}
"""By service and method, for all that answer more than that it is done."""


def answered(method: str, result: Any) -> Message:
    """The message for the result of a REST request; `method` is *service/name*."""
    return ANSWERS.get(method.removeprefix("qdrant."), _operation)(result)
