"""`/healthz`, `/readyz`, `/metrics`, `/events` and `/session`: for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from searcher.service import keys, shapes
from searcher.service.parts import Service
from searcher.service.problems import Problem
from searcher.service.replies import json_reply, problems
from searcher.service.reports import changes

SESSION_SECONDS = 30 * 86_400


def operation_routes(service: Service) -> APIRouter:
    """The routes that tell how the service is doing, and sign a browser in."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/healthz", response_model=shapes.Health, responses=problems())
    async def healthz() -> Response:
        """Whether the process lives."""
        return json_reply({"status": "ok"})

    @routes.get("/readyz", response_model=shapes.Health, responses=problems(503))
    async def readyz() -> Response:
        """Whether questions can be answered: a model is loaded and the store answers."""
        await service.probe(lambda opened: opened.searcher.store.count())
        return json_reply({"status": "ok"})

    @routes.get(
        "/events",
        response_class=StreamingResponse,
        responses=problems(503) | {200: {"content": {"text/event-stream": {"schema": {}}}}},
    )
    async def events() -> Response:
        """Server-sent events: `indexing` while the indexer catches up, `clusters` when others
        begin to answer."""
        if not service.streams.enter():
            raise Problem(503, "too many pages are listening: try later", {"Retry-After": "30"})
        return StreamingResponse(
            service.streams.counted(service.metrics.stream(changes(service))),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @routes.post("/session", status_code=204, responses=problems())
    async def sign_in(http: Request) -> Response:
        """Take the key of the request's headers for a cookie that a browser sends by itself."""
        given = keys.presented(http.scope["headers"])
        reply = Response(status_code=204)
        if service.policy.keys:
            if given is None or not keys.is_known(given, service.policy.keys):
                raise Problem(401, "this is no key of this service", {"WWW-Authenticate": "Bearer"})
            reply.set_cookie(
                keys.COOKIE,
                keys.session(given),
                max_age=SESSION_SECONDS,
                httponly=True,
                samesite="strict",
                secure=http.url.scheme == "https",
            )
        return reply

    @routes.delete("/session", status_code=204, responses=problems())
    async def sign_out() -> Response:
        """Forget the cookie."""
        reply = Response(status_code=204)
        reply.delete_cookie(keys.COOKIE, httponly=True, samesite="strict")
        return reply

    return routes
