"""The service's app within this process, asked without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.services import Reply, form


class App:
    """Asks an app whose lifespan has begun."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner, state: Mapping[str, Any]) -> None:
        self._app, self._runner, self._state = app, runner, state

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, answered whole."""
        target, _, query = path.partition("?")
        given = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": target,
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 80),
            "state": dict(self._state),
        }
        return self._runner.run(_answer(self._app, scope, body))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """`GET`."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, value: Any) -> Reply:
        """`POST` of a value as JSON."""
        kind = {"content-type": "application/json"}
        return self.request("POST", path, json.dumps(value).encode(), kind)

    def send(self, path: str, image: Path | bytes, **fields: str) -> Reply:
        """`POST` of a form with a picture."""
        body, kind = form([image], **fields)
        return self.request("POST", path, body, {"content-type": kind})


@contextmanager
def running(app: FastAPI) -> Iterator[App]:
    """The app from begin to end of its lifespan."""
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        state = runner.run(_enter(lifespan))
        try:
            yield App(app, runner, state)
        finally:
            runner.run(_exit(lifespan))


async def _enter(lifespan: Any) -> Mapping[str, Any]:
    return await lifespan.__aenter__() or {}


async def _exit(lifespan: Any) -> None:
    await lifespan.__aexit__(None, None, None)


async def _answer(app: FastAPI, scope: dict[str, Any], body: bytes) -> Reply:
    parts, received = [], [{"type": "http.request", "body": body, "more_body": False}]
    status, headers = 0, {}

    async def receive() -> dict[str, Any]:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, headers, b"".join(parts))
