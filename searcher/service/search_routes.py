"""`POST /search` and `POST /search/batch`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from searcher.answer import answer_json
from searcher.service import bodies, shapes
from searcher.service.bodies import Options, read_batch, read_search
from searcher.service.engine import Asking, Found
from searcher.service.parts import Service
from searcher.service.problems import as_problem, problem_json
from searcher.service.replies import json_reply, links, problems, request_id

_REFUSALS = problems(400, 404, 408, 413, 415, 422, 503)
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": 16}


def search_routes(service: Service) -> APIRouter:
    """The routes that answer questions."""
    routes = APIRouter(tags=["search"])

    @routes.post(
        "/search",
        response_model=shapes.Answer,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _body("Question", "FormQuestion", "image", "not_image")},
    )
    async def search(http: Request) -> Response:
        """Find the images that look like the examples: uploads, indexed images, or both at once."""
        asking, options = await read_search(http, service.policy)
        found = await service.questions.run(lambda: service.engine.answer(asking))
        return json_reply(_answer(found, options))

    @routes.post(
        "/search/batch",
        response_model=shapes.Batch,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _body("Batch", "Options", "image")},
    )
    async def search_batch(http: Request) -> Response:
        """Several questions at once. One that cannot be answered costs only its own answer."""
        asked = await read_batch(http, service.policy)
        answers = await _one_by_one(service, asked, request_id(http))
        return json_reply({"answers": answers})

    return routes


async def _one_by_one(
    service: Service, asked: list[tuple[Asking, Options]], request: str
) -> list[dict[str, Any]]:
    """The answers in their order. As many are at work as there are threads, so that a batch takes
    the place of few requests."""
    turn = asyncio.Semaphore(service.policy.threads)

    async def one(asking: Asking, options: Options) -> dict[str, Any]:
        async with turn:
            try:
                found = await service.questions.run(lambda: service.engine.answer(asking))
            except Exception as error:  # noqa: BLE001 - told in the place of its answer
                return problem_json(as_problem(error), request)
        return _answer(found, options)

    return await asyncio.gather(*(one(asking, options) for asking, options in asked))


def _answer(found: Found, options: Options) -> dict[str, Any]:
    told = found.explained.values if found.explained else None
    value = answer_json(found.shown, found.answer, told, records=options.records)
    for shown, result in zip(value["results"], found.answer.results, strict=True):
        if result.record is not None:
            shown["links"] = links(result.id, result.record.sha256)
    return value


def _body(json_shape: str, form_shape: str, *files: str) -> dict[str, Any]:
    """The request body for the OpenAPI document: JSON, or a form with pictures."""
    form = {
        "allOf": [
            {"$ref": f"#/components/schemas/{form_shape}"},
            {"type": "object", "properties": dict.fromkeys(files, _FILES)},
        ]
    }
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": f"#/components/schemas/{json_shape}"}},
            "multipart/form-data": {"schema": form},
        },
    }


BODIES = (bodies.Question, bodies.FormQuestion, bodies.Batch, bodies.Options)
"""What the request bodies of the document refer to."""
