"""`create_app`: routes, guards and error documents, put together around one `Service`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware

from searcher.service import problems
from searcher.service.access import Access
from searcher.service.collection_routes import collection_routes
from searcher.service.compared import Compared
from searcher.service.engine import Engine
from searcher.service.gate import Gate
from searcher.service.guards import Guarded, Identified
from searcher.service.image_routes import image_routes
from searcher.service.metrics import Metrics
from searcher.service.metrics_routes import metrics_routes
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
_OPERATION_THREADS = 2
_OPERATION_WAITING = 16


def create_app(settings: Settings, policy: Policy) -> FastAPI:
    """The service of one home as an ASGI app; its lifespan opens and closes everything."""
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        service = _service(settings, policy, metrics)
        add_routes(app, service)
        asyncio.get_running_loop().run_in_executor(None, service.engine.warm)
        try:
            yield {"stop": service.stop, "policy": policy}
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
    app.add_middleware(Access, metrics=metrics)
    app.add_middleware(Identified)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _service(settings: Settings, policy: Policy, metrics: Metrics) -> Service:
    folder = policy.thumbnails or settings.home / "thumbnails"

    def gate(name: str, threads: int, waiting: int) -> Gate:
        return Gate(name, threads=threads, waiting=waiting, meter=metrics.gate(name))

    return Service(
        policy=policy,
        engine=Engine(
            settings,
            decoders=policy.threads,
            keeper=Compared(folder / "compared", policy.compared_bytes),
        ),
        thumbnails=Thumbnails(folder, policy.thumbnail_bytes),
        questions=gate("question", policy.threads, policy.waiting),
        files=gate("file", _FILE_THREADS, policy.waiting),
        operation=gate("operation", _OPERATION_THREADS, _OPERATION_WAITING),
        streams=Streams(policy.streams),
        metrics=metrics,
    )


def add_routes(app: FastAPI, service: Service) -> None:
    """Give the app its routes."""
    for routes in (
        search_routes(service),
        collection_routes(service),
        image_routes(service),
        operation_routes(service),
        metrics_routes(service),
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
