"""Answers as HTTP sends them: JSON without a second check, problems declared for the document."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from searcher.service.collection import ClusterPage, ClusterView
from searcher.service.problems import MEDIA_TYPE
from searcher.service.thumbnails import VERSION
from shared.types import ImageRecord, ScoredImage

_MEANINGS = {
    400: "The request cannot be read.",
    401: "A key is needed.",
    404: "There is no such thing here.",
    408: "The request took too long to arrive.",
    409: "The file is not what was indexed any more.",
    413: "The request is too large.",
    415: "The body is of a kind that is not taken.",
    421: "The request is meant for another host.",
    422: "The request can be read, but not answered.",
    500: "The service failed.",
    503: "Nothing can be answered now.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its `responses`; those of every route are among them."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in sorted({400, 401, 421, 500, *statuses})
    }


def json_reply(value: Any, status: int = 200) -> Response:
    """A value as JSON. Lone surrogates, which JSON in UTF-8 cannot hold, become question marks."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body.encode("utf-8", "replace"), status, media_type="application/json")


def links(point: str, sha256: str) -> dict[str, str]:
    """Where an image lies; the version makes the address change with the content, and that of a
    thumbnail with how it is made, so that a browser may keep it for ever."""
    base, version = f"/images/{point}", f"?v={sha256[:16]}"
    return {
        "image": f"{base}{version}",
        "thumbnail": f"{base}/thumbnail{version}&made={VERSION}",
        "record": f"{base}/record",
    }


def image_json(record: ImageRecord, generation: str) -> dict[str, Any]:
    """An indexed image, with its label in a generation."""
    return {
        "id": record.id,
        "root": record.root,
        "path": record.path,
        "cluster": next(
            (label for label in record.cluster if label.startswith(generation + "/")), None
        ),
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "bytes": record.bytes,
        "taken_at": record.taken_at,
        "links": links(record.id, record.sha256),
    }


def record_json(record: ImageRecord, generation: str) -> dict[str, Any]:
    """All that is stored of an indexed image."""
    return image_json(record, generation) | {
        "sha256": record.sha256,
        "phash": record.phash,
        "phash_version": record.phash_version,
        "mtime": record.mtime,
        "indexed_at": record.indexed_at,
        "folders": list(record.folders),
    }


def _typical_json(found: ScoredImage, generation: str) -> dict[str, Any] | None:
    if found.record is None:
        return None
    score = max(-1.0, min(1.0, round(found.score, 6)))
    return image_json(found.record, generation) | {"score": score}


def cluster_json(view: ClusterView, generation: str) -> dict[str, Any]:
    """A cluster with its samples."""
    return {
        "number": view.number,
        "label": view.label,
        "size": view.size,
        "share": min(1.0, round(view.share, 4)),
        "samples": [one for image in view.samples if (one := _typical_json(image, generation))],
        "links": {"images": f"/clusters/{view.number}"},
    }


def cluster_page_json(page: ClusterPage, generation: str) -> dict[str, Any]:
    """A page of a cluster."""
    return {
        "number": page.number,
        "label": page.label,
        "size": page.size,
        "images": [one for image in page.images if (one := _typical_json(image, generation))],
        "next": page.next,
    }


def request_id(http: Request) -> str:
    """The id that the answer will bear."""
    found: str = http.scope["state"]["request_id"]
    return found
