"""What stands before the routes: identity of a request, its host, its key, the size of its body."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from searcher.service.headers import ALWAYS, REQUEST_ID
from searcher.service.keys import is_allowed
from searcher.service.policy import Policy
from searcher.service.problems import MEDIA_TYPE, Problem, problem_body

OPEN_PATHS = frozenset({"/", "/docs", "/healthz", "/readyz", "/session"})
"""What is answered without a key: it tells nothing of the pictures."""
OPEN_PREFIX = "/assets/"
_DRAINED_BYTES = 64 * 2**20
_DRAINED_SECONDS = 5.0


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
        body = _Body(receive, self._policy.upload_bytes, self._policy.body_seconds, self._held)
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
            return Problem(400, f"the request has {len(hosts)} Host headers: send one", _CLOSE)
        if not self._is_ours(hosts[0]):
            return Problem(
                421, "this service does not answer to that host name: see --allow-host", _CLOSE
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


_CLOSE = {"Connection": "close"}


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


class Held:
    """The bytes of all bodies that are held at a time: what each may have, times the connections
    there may be, is more than a machine has."""

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    def take(self, number: int) -> None:
        """Hold so many bytes more. Raises `Problem` 503 if that is too many."""
        if self._now + number > self._most:
            raise Problem(
                503, "too many uploads at a time: try again", {"Retry-After": "1", **_CLOSE}
            )
        self._now += number

    def give(self, number: int) -> None:
        """Hold so many bytes less."""
        self._now -= number


class _Body:
    """A request's body, counted and timed while the app reads it."""

    def __init__(self, receive: Receive, max_bytes: int, seconds: float, held: Held) -> None:
        self._receive, self._max, self._seconds = receive, max_bytes, seconds
        self._held, self._taken = held, 0
        self._size, self._deadline, self._complete = 0, 0.0, False

    async def receive(self) -> Message:
        """The next part. Raises `Problem`: 413 for too many bytes, 408 for too much time, 503 while
        others hold too many."""
        if self._complete:  # from here on, only the end of the connection is waited for
            return await self._receive()
        message = await self._timely()
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self._max:
            raise await self.refused()
        self._held.take(self._size - self._taken)
        self._taken = self._size
        return message

    def let_go(self) -> None:
        """The request is over: nothing of its body is held any more."""
        self._held.give(self._taken)
        self._taken = 0

    async def _timely(self) -> Message:
        self._deadline = self._deadline or asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, f"the request's body took longer than {self._seconds:g} s", _CLOSE
            ) from None
        return message

    async def refused(self) -> Problem:
        """The refusal of a body that is too large, once its sender had a chance to read it: an
        answer while much is still being sent would be lost with the connection."""
        left, loop = _DRAINED_BYTES, asyncio.get_running_loop()
        until = loop.time() + _DRAINED_SECONDS
        while left > 0 and not self._complete:
            try:
                async with asyncio.timeout_at(until):
                    message = await self._receive()
            except TimeoutError:
                break
            left -= len(message.get("body", b"")) or 1
            self._complete = not message.get("more_body", False)
        return self.too_large

    @property
    def too_large(self) -> Problem:
        """The refusal itself."""
        return Problem(413, f"the request has more than {self._max:,} bytes: send less", _CLOSE)
