"""`GET /images`, `/images/{id}/record`, `/clusters`, `/clusters/{number}` and `/stats`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from searcher.service import collection, shapes
from searcher.service.engine import Opened
from searcher.service.parts import Service
from searcher.service.replies import (
    cluster_json,
    cluster_page_json,
    image_json,
    json_reply,
    problems,
    record_json,
)
from searcher.service.reports import indexing_json
from searcher.service.version import VERSION
from shared.conditions import FIELDS

Limit = Annotated[int, Query(ge=1, le=200, description="Images a page.")]
MOST_CLUSTERS = 100_000


def collection_routes(service: Service) -> APIRouter:
    """The routes that show what is indexed."""
    routes = APIRouter(tags=["collection"])

    @routes.get("/images", response_model=shapes.Images, responses=problems(422, 503))
    async def images(
        limit: Limit = 60,
        cursor: Annotated[UUID | None, Query(description="Where the page begins.")] = None,
    ) -> Response:
        """All images, page by page."""
        after = None if cursor is None else str(cursor)

        def view(opened: Opened) -> dict[str, Any]:
            found, following = collection.images(opened, after, limit)
            generation = opened.home.pair.generation
            return {
                "images": [image_json(record, generation) for record in found],
                "next": following,
            }

        return json_reply(await service.look(view))

    @routes.get(
        "/images/{id}/record", response_model=shapes.Record, responses=problems(404, 422, 503)
    )
    async def record(point: Annotated[UUID, Path(alias="id")]) -> Response:
        """All that is stored of an image."""

        def view(opened: Opened) -> dict[str, Any]:
            return record_json(collection.image(opened, str(point)), opened.home.pair.generation)

        return json_reply(await service.look(view))

    @routes.get("/clusters", response_model=shapes.Clusters, responses=problems(422, 503))
    async def clusters(samples: Annotated[int, Query(ge=0, le=24)] = 6) -> Response:
        """Every cluster with its most typical images, the largest first."""

        def view(opened: Opened) -> dict[str, Any]:
            pair = opened.home.pair
            return {
                "encoder": pair.encoder,
                "generation": pair.generation,
                "total": opened.searcher.store.count(),
                "clusters": [
                    cluster_json(one, pair.generation)
                    for one in collection.clusters(opened, samples)
                ],
            }

        return json_reply(await service.look(view))

    @routes.get(
        "/clusters/{number}",
        response_model=shapes.ClusterImages,
        responses=problems(404, 422, 503),
    )
    async def cluster(
        number: Annotated[int, Path(ge=0, le=MOST_CLUSTERS)],
        limit: Limit = 60,
        cursor: Annotated[str | None, Query(pattern=collection.CURSOR)] = None,
    ) -> Response:
        """The images of a cluster, the most typical first."""

        def view(opened: Opened) -> dict[str, Any]:
            page = collection.cluster_page(opened, number, cursor, limit)
            return cluster_page_json(page, opened.home.pair.generation)

        return json_reply(await service.look(view))

    @routes.get("/stats", response_model=shapes.Stats, responses=problems(503))
    async def stats() -> Response:
        """What answers here, and what can be asked."""
        return json_reply(await service.look(lambda opened: _stats(service, opened)))

    return routes


def _stats(service: Service, opened: Opened) -> dict[str, Any]:
    home, policy = opened.home, service.policy
    return {
        "version": VERSION,
        "images": opened.searcher.store.count(),
        "encoder": home.pair.encoder,
        "generation": home.pair.generation,
        "clusters": home.clustering.n_clusters,
        "calibrated": home.calibration is not None,
        "roots": sorted(home.roots),
        "indexing": indexing_json(home.settings.run),
        "limits": {
            "upload_bytes": policy.upload_bytes,
            "pixels": home.settings.max_pixels,
            "examples": policy.examples,
        },
        "fields": {
            name: {"kind": field.kind, "operators": list(field.ops)}
            for name, field in FIELDS.items()
        },
    }
