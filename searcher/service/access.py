"""Every request counted and told in a line of the log; an error that nobody expected answered."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from searcher.service.guards import refuse
from searcher.service.log import current_request
from searcher.service.metrics import Metrics
from searcher.service.problems import Problem, as_problem
from shared.log import FIELDS

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds for as long as the service runs: told at level DEBUG."""
CLOSED_STATUS = 499
"""Nobody waited for the answer any more; the number is nginx's."""
NO_ROUTE = "none"
_LONGEST = 512
_STOPPED = Problem(503, "the service was stopped: try again", {"Connection": "close"})

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sent:
    """What went out: status, seconds until it began, bytes of the body."""

    status: int = CLOSED_STATUS
    seconds: float | None = None
    size: int = 0


class Access:
    """Stands before all that may refuse or answer a request, behind what gives it its id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, sent = perf_counter(), _Sent()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.status, sent.seconds = message["status"], perf_counter() - started
            else:
                sent.size += len(message.get("body", b""))
            await send(message)

        token = current_request.set(scope["state"]["request_id"])
        try:
            await self._app(scope, receive, send_on)
        except asyncio.CancelledError:  # the service stops, and its patience is at an end
            if sent.seconds is None:
                await refuse(scope, send_on, _STOPPED)
        except Exception as error:  # noqa: BLE001 - the last resort of every request
            problem = as_problem(error)  # which logs it
            if sent.seconds is None:
                await refuse(scope, send_on, problem)
        finally:
            self._tell(scope, sent, perf_counter() - started)
            current_request.reset(token)

    def _tell(self, scope: Scope, sent: _Sent, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.request(route, scope["method"], sent.status, sent.seconds)
        level = logging.DEBUG if route in PROBES else logging.INFO
        if not log.isEnabledFor(level):
            return
        client, request = _client(scope), scope["state"]["request_id"]
        method, target, milliseconds = scope["method"], _target(scope), round(seconds * 1000, 1)
        fields = {
            "method": method,
            "path": target,
            "route": route,
            "status": sent.status,
            "bytes": sent.size,
            "ms": milliseconds,
            "client": client,
            "request": request,
        }
        line = "%s %s %d %d bytes %.1f ms %s [%s]"
        told = (method, target, sent.status, sent.size, milliseconds, client, request)
        log.log(level, line, *told, extra={FIELDS: fields})


def _target(scope: Scope) -> str:
    """The path as it was sent, and the names of what followed it: values may be private."""
    path: str = scope["raw_path"].decode("latin-1")
    if query := scope["query_string"].decode("latin-1"):
        path += "?" + ",".join(pair.partition("=")[0] for pair in query.split("&"))
    return path if len(path) <= _LONGEST else path[:_LONGEST] + "..."


def _client(scope: Scope) -> str:
    """The other end's address; over the Unix socket it has none."""
    client = scope.get("client")
    return client[0] if client else "local"
