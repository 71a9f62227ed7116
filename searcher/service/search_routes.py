"""`POST /search` and `POST /search/batch`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from searcher.answer import answer_json
from searcher.service import bodies, forms, shapes
from searcher.service.asking import Asking, Found
from searcher.service.bodies import Options
from searcher.service.parts import Service
from searcher.service.problems import as_problem, problem_json
from searcher.service.reading import read_batch, read_search
from searcher.service.replies import json_reply, links, problems, request_id

_REFUSALS = problems(400, 404, 408, 413, 415, 422, 503)


def search_routes(service: Service) -> APIRouter:
    """The routes that answer questions."""
    routes = APIRouter(tags=["search"])

    @routes.post(
        "/search",
        response_model=shapes.Answer,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _body("Question", forms.question(service.policy))},
    )
    async def search(http: Request) -> Response:
        """Find the images that look like the examples: uploads, indexed images, or both at once."""
        asking, options = await read_search(http, service.policy)
        return json_reply(await _ask(service, asking, options))

    @routes.post(
        "/search/batch",
        response_model=shapes.Answers,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _body("Batch", forms.batch(service.policy))},
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
                return await _ask(service, asking, options)
            except Exception as error:  # noqa: BLE001 - told in the place of its answer
                return problem_json(as_problem(error), request)

    return await asyncio.gather(*(one(asking, options) for asking, options in asked))


async def _ask(service: Service, asking: Asking, options: Options) -> dict[str, Any]:
    """The answer to a question, counted and timed."""
    with service.metrics.question() as timing:

        def answer() -> Found:
            timing.begin()
            return service.engine.answer(asking)

        found = await service.questions.run(answer)
        timing.answer = found.answer
        return _answer(found, options)


def _answer(found: Found, options: Options) -> dict[str, Any]:
    told = found.explained.values if found.explained else None
    value = answer_json(found.shown, found.answer, told, records=options.records)
    for shown, result in zip(value["results"], found.answer.results, strict=True):
        if result.record is not None:
            shown["links"] = links(result.id, result.record.sha256)
    return value


def _body(json_shape: str, form: dict[str, Any]) -> dict[str, Any]:
    """The request body for the OpenAPI document: JSON, or a form with pictures."""
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": f"#/components/schemas/{json_shape}"}},
            "multipart/form-data": {"schema": form},
        },
    }


BODIES = (bodies.Question, bodies.Batch)
"""What the request bodies of the document refer to."""
