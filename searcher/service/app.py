"""`create_app`: routes, guards and error documents, put together around one `Service`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware

from searcher.service import problems
from searcher.service.collection_routes import collection_routes
from searcher.service.engine import Engine
from searcher.service.gate import Gate
from searcher.service.guards import Guarded, Identified
from searcher.service.image_routes import image_routes
from searcher.service.operation_routes import operation_routes
from searcher.service.page_routes import page_routes
from searcher.service.parts import Service
from searcher.service.policy import Policy
from searcher.service.search_routes import BODIES, search_routes
from searcher.service.shapes import ProblemDocument
from searcher.service.streams import Streams
from searcher.service.thumbnails import Thumbnails
from searcher.service.version import VERSION
from shared.settings import Settings

_FILE_THREADS = 4
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"lookalike-version", VERSION.encode()),
)


def create_app(settings: Settings, policy: Policy) -> FastAPI:
    """The service of one home as an ASGI app; its lifespan opens and closes everything."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        service = _service(settings, policy)
        add_routes(app, service)
        try:
            yield {"stop": service.stop}
        finally:
            service.close()

    app = FastAPI(
        title="Lookalike",
        summary="Find the images that look like this one.",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(Guarded, policy=policy)
    if policy.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=policy.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        )
    app.add_middleware(Identified, always=_ALWAYS)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _service(settings: Settings, policy: Policy) -> Service:
    folder = policy.thumbnails or settings.home / "thumbnails"
    return Service(
        policy=policy,
        engine=Engine(settings, decoders=policy.threads),
        thumbnails=Thumbnails(folder, policy.thumbnail_bytes),
        questions=Gate("question", threads=policy.threads, waiting=policy.waiting),
        files=Gate("file", threads=_FILE_THREADS, waiting=policy.waiting),
        streams=Streams(policy.streams),
    )


def add_routes(app: FastAPI, service: Service) -> None:
    """Give the app its routes."""
    for routes in (
        search_routes(service),
        collection_routes(service),
        image_routes(service),
        operation_routes(service),
        page_routes(),
    ):
        app.include_router(routes)


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the shapes that only request bodies and errors refer to."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        shapes = document.setdefault("components", {}).setdefault("schemas", {})
        for shape in (*BODIES, ProblemDocument):
            own = shape.model_json_schema(ref_template="#/components/schemas/{model}")
            shapes |= own.pop("$defs", {})
            shapes[shape.__name__] = own
        app.openapi_schema = document
    return app.openapi_schema
