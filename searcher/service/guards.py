"""What stands before the routes: identity of a request, its host, its key, the size of its body."""

from __future__ import annotations

import ipaddress
import socket
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from searcher.service.body import CLOSE, Body, Held
from searcher.service.headers import ALWAYS, REQUEST_ID
from searcher.service.keys import is_allowed
from searcher.service.policy import Policy
from searcher.service.problems import MEDIA_TYPE, Problem, problem_body

OPEN_PATHS = frozenset({"/", "/docs", "/healthz", "/readyz", "/session"})
"""What is answered without a key: it tells nothing of the pictures."""
OPEN_PREFIX = "/assets/"


def is_local_socket(scope: Scope) -> bool:
    """Whether the request came over the Unix socket, which only the home's owner can reach."""
    server = scope.get("server")
    return server is None or server[1] is None


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer with a problem from outside the app, and end the connection."""
    body = problem_body(problem, scope["state"]["request_id"])
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class Identified:
    """Gives every request an id, and every answer the headers that all answers have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._always = [(name.encode(), value.encode()) for name, value in ALWAYS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        added = [*self._always, (REQUEST_ID.encode(), request_id.encode())]

        async def send_all(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in added if header[0] not in given),
                ]
            await send(message)

        await self._app(scope, receive, send_all)


class Guarded:
    """Refuses what must not reach the app: another host's name, a missing key, too large a body."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app, self._policy = app, policy
        self._held = Held(policy.held_bytes)
        self._names = {"localhost", socket.gethostname().lower(), *map(str.lower, policy.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = None if is_local_socket(scope) else self._outside(scope)
        body = Body(receive, self._policy.upload_bytes, self._policy.body_seconds, self._held)
        if problem is None and _length(scope) > self._policy.upload_bytes:
            problem = body.too_large if _asks_first(scope) else await body.refused()
        if problem is not None:
            await refuse(scope, send, problem)
            return
        try:
            await self._app(_as_get(scope), body.receive, send)
        finally:
            body.let_go()

    def _outside(self, scope: Scope) -> Problem | None:
        """Why a request over the network is refused."""
        headers = scope["headers"]
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1:  # whoever stands before us may have looked at the other one
            return Problem(400, f"the request has {len(hosts)} Host headers: send one", CLOSE)
        if not self._is_ours(hosts[0]):
            return Problem(
                421, "this service does not answer to that host name: see --allow-host", CLOSE
            )
        path = scope["path"]
        needs_key = path not in OPEN_PATHS and not path.startswith(OPEN_PREFIX)
        if self._policy.keys and needs_key and not is_allowed(headers, self._policy.keys):
            return Problem(
                401,
                "give an API key: `Authorization: Bearer KEY` or `X-API-Key: KEY`",
                {"WWW-Authenticate": 'Bearer realm="lookalike"'},
            )
        return None

    def _is_ours(self, host: str) -> bool:
        """A page elsewhere can give its own name our address (DNS rebinding), but never a name of
        ours or a plain address."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() in self._names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def _as_get(scope: Scope) -> Scope:
    """A HEAD is answered as a GET is; the server sends no body then."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _asks_first(scope: Scope) -> bool:
    """Whether the body is sent only once the head was not refused."""
    return (b"expect", b"100-continue") in scope["headers"]
