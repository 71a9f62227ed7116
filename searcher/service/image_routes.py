"""`GET /images/{id}` and `/images/{id}/thumbnail`: indexed files only, from the roots only."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from searcher.service import collection
from searcher.service.engine import Opened
from searcher.service.guards import is_local_socket
from searcher.service.parts import Service
from searcher.service.positions import without_position
from searcher.service.problems import Problem
from searcher.service.replies import problems
from searcher.service.thumbnails import VERSION
from shared.errors import ImageRefused
from shared.formats import FORMATS, media_type
from shared.reading import content_hash, read_beneath
from shared.types import ImageRecord

_MEDIA_TYPES = [one.media_type for one in FORMATS.values()]
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UNCHANGED = {304: {"description": "What the browser has is still right."}}


@dataclass(frozen=True, slots=True)
class _File:
    """What is sent of an image."""

    data: bytes
    media_type: str
    tag: str


def image_routes(service: Service) -> APIRouter:
    """The routes that send pictures."""
    routes = APIRouter(tags=["images"])

    @routes.get(
        "/images/{id}",
        response_class=Response,
        responses=problems(404, 409, 422, 503)
        | _UNCHANGED
        | {200: {"content": dict.fromkeys(_MEDIA_TYPES, _BINARY)}},
    )
    async def original(
        http: Request,
        point: Annotated[UUID, Path(alias="id")],
        v: Annotated[str | None, Query(max_length=64, description="Version of the file.")] = None,
    ) -> Response:
        """The picture as it lies in its folder. To other machines it goes without the place where
        it was taken."""
        bare = _leaves(http) and not service.policy.keep_positions

        def send(opened: Opened, record: ImageRecord) -> _File:
            data = _content(opened, record)
            kind = media_type(record.format)
            if bare:
                cleaned = without_position(data, opened.home.limits)
                data, kind = cleaned.data, cleaned.media_type
            return _File(data, kind, record.sha256 + ("-bare" if bare else ""))

        suffix = "-bare" if bare else ""
        return await _send(service, http, str(point), v, lambda one: one.sha256 + suffix, send)

    @routes.get(
        "/images/{id}/thumbnail",
        response_class=Response,
        responses=problems(404, 409, 422, 503)
        | _UNCHANGED
        | {200: {"content": {"image/jpeg": _BINARY}}},
    )
    async def thumbnail(
        http: Request,
        point: Annotated[UUID, Path(alias="id")],
        size: Annotated[Literal["160", "320", "640"], Query(description="Longer edge.")] = "320",
        v: Annotated[str | None, Query(max_length=64, description="Version of the file.")] = None,
    ) -> Response:
        """The picture made small: upright, in RGB, without any metadata."""
        edge = int(size)

        def tag(record: ImageRecord) -> str:
            return f"{record.sha256}-{edge}-{VERSION}"

        def send(opened: Opened, record: ImageRecord) -> _File:
            made: list[bytes] = []

            def make() -> bytes:
                made.append(service.engine.thumbnail(_content(opened, record), edge))
                return made[0]

            data = service.thumbnails.get_or_make(record.sha256, edge, make)
            service.metrics.thumbnail(len(data), made=bool(made))
            return _File(data, "image/jpeg", tag(record))

        return await _send(service, http, str(point), v, tag, send)

    return routes


async def _send(
    service: Service,
    http: Request,
    point: str,
    version: str | None,
    tag: Callable[[ImageRecord], str],
    send: Callable[[Opened, ImageRecord], _File],
) -> Response:
    """A file with its headers; nothing of it is read if the browser has it already."""
    has = http.headers.get("if-none-match", "")

    def look(opened: Opened) -> tuple[ImageRecord, _File | None]:
        record = collection.image(opened, point)
        return record, None if f'"{tag(record)}"' in has else send(opened, record)

    record, file = await service.look(look)
    names_content = version is not None and version == record.sha256[: len(version)] != ""
    headers = {
        "ETag": f'"{tag(record)}"',
        "Cache-Control": _FOR_EVER if names_content else _ASK_AGAIN,
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if file is None:
        return Response(status_code=304, headers=headers)
    name = urllib.parse.quote(record.path.rpartition("/")[2].encode("utf-8", "replace"))
    headers["Content-Disposition"] = f"inline; filename*=UTF-8''{name}"
    return Response(file.data, 200, headers, file.media_type)


def _content(opened: Opened, record: ImageRecord) -> bytes:
    """The file's bytes, if it is still what was indexed. Raises `Problem`."""
    root = opened.home.roots.get(record.root)
    if root is None:
        raise Problem(404, "the image's folder is not known here")
    try:
        data, _ = read_beneath(root, record.relative(), opened.home.limits)
    except ImageRefused as error:
        raise Problem(404, f"the image {error}") from error
    if content_hash(data) != record.sha256:
        raise Problem(409, "the file is not what was indexed any more: try again in a while")
    return data


def _leaves(http: Request) -> bool:
    """Whether the answer goes to another machine, as far as can be told: what came through a proxy
    does."""
    if is_local_socket(http.scope):
        return False
    if any(name in _FORWARDED for name, _ in http.scope["headers"]):
        return True
    client = http.scope.get("client")
    try:
        return client is None or not ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return True
