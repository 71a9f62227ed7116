"""The page and its parts: files of the package, read once, with nothing from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import Response

from searcher.service.problems import Problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    data: bytes
    media_type: str
    tag: str


def page_routes() -> APIRouter:
    """The routes of the page."""
    routes = APIRouter(include_in_schema=False)
    assets = _read()

    @routes.get("/")
    async def index(http: Request) -> Response:
        return _send(http, assets["index.html"])

    @routes.get("/docs")
    async def docs(http: Request) -> Response:
        return _send(http, assets["docs.html"])

    @routes.get("/favicon.ico")
    async def icon(http: Request) -> Response:
        return _send(http, assets["favicon.svg"])

    @routes.get("/assets/{name}")
    async def asset(http: Request, name: str) -> Response:
        if name not in assets:
            raise Problem(404, "the page has no such part")
        return _send(http, assets[name])

    return routes


def _read() -> dict[str, _Asset]:
    found = {}
    for file in (resources.files("searcher") / "web").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            data = file.read_bytes()
            found[file.name] = _Asset(data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
    return found


def _send(http: Request, asset: _Asset) -> Response:
    headers = {
        "ETag": asset.tag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Frame-Options": "DENY",
    }
    if asset.tag in http.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.data, 200, headers, asset.media_type)
