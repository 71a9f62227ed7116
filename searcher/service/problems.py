"""Errors as problem documents (RFC 9457): one sentence, no traceback, no path of this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from searcher.service.headers import ALWAYS, REQUEST_ID
from shared.errors import (
    ImageRefused,
    ImageUnknown,
    LookalikeError,
    ModelError,
    NoModel,
    NotReady,
    QueryError,
    StoreBusy,
    StoreError,
    StoreMissing,
)

MEDIA_TYPE = "application/problem+json"
_LONGEST_DETAIL = 1_000

_log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that is answered with an error. `detail` is shown to whoever asked."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def problem_json(problem: Problem, request_id: str) -> dict[str, Any]:
    """The document: `type`, `title`, `status`, `detail`, `instance`, and what the problem adds."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail[:_LONGEST_DETAIL],
        "instance": f"urn:uuid:{request_id}",
        **problem.more,
    }


def problem_body(problem: Problem, request_id: str) -> bytes:
    """The document as bytes of JSON."""
    return json.dumps(problem_json(problem, request_id), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def as_problem(error: Exception) -> Problem:
    """What is told about an error. Only sentences about the question itself are passed on: others
    name files of this machine, and go to the log."""
    match error:
        case Problem():
            return error
        case ImageUnknown():
            return Problem(404, str(error))
        case ImageRefused() | QueryError():
            return Problem(422, str(error))
        case ValidationError():
            return _wrong(error.errors(include_url=False, include_input=False))
        case RequestValidationError():
            return _wrong(error.errors())
        case ClientDisconnect():
            return Problem(400, "the request ended before its body did")
        case HTTPException():
            return Problem(error.status_code, str(error.detail), error.headers)
        case NotReady():
            return _not_ready(str(error))
        case NoModel():
            return _not_ready("no model answers yet: run `indexer watch` or `indexer train`")
        case StoreMissing():
            return _not_ready("nothing is indexed yet: run `indexer scan DIR` first")
        case StoreBusy() | StoreError() | ModelError():
            _log.error("%s", error)
            return _not_ready("the store or the model does not answer: its log says why")
        case LookalikeError():
            _log.error("%s", error)
            return Problem(500, "the service failed: its log says why")
        case _:
            _log.error("a request failed", exc_info=error)
            return Problem(500, "the service failed: its log says why")


def _not_ready(detail: str) -> Problem:
    return Problem(503, detail, {"Retry-After": "5"})


def _wrong(errors: Sequence[Any]) -> Problem:
    """Where a request is not as it should be, and why. What was given is not repeated."""
    found = [
        {
            "at": ".".join(map(str, one["loc"])),
            "message": one["msg"].removeprefix("Value error, "),
        }
        for one in errors[:20]
    ]
    first = f"{found[0]['at']}: {found[0]['message']}" if found[0]["at"] else found[0]["message"]
    return Problem(422, f"the request is not as it should be: {first}", errors=found)


def _allow(request: Request) -> dict[str, str]:
    """All methods of an address; the router names only those of the first route that has it."""
    path = getattr(request.scope.get("route"), "path", "")
    known = request.app.openapi()["paths"].get(path)
    return {"Allow": ", ".join(sorted(map(str.upper, known)))} if known else {}


_KINDS = (
    Problem,
    LookalikeError,
    ValidationError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
    Exception,
)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    async def answer(request: Request, error: Exception) -> Response:
        problem, request_id = as_problem(error), request.scope["state"]["request_id"]
        # The app answers what nobody expected outside all its middleware: say all that is needed.
        headers = {**ALWAYS, REQUEST_ID: request_id, **problem.headers}
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers |= _allow(request)
        return Response(problem_body(problem, request_id), problem.status, headers, MEDIA_TYPE)

    for kind in _KINDS:
        app.add_exception_handler(kind, answer)
