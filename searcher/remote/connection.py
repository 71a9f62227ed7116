"""`Service`: HTTP to a running search service, over its Unix socket or the network.

Limited in time and size; every failure is a `ServiceError`, one line that names the service.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from searcher.remote.sockets import CONNECT_SECONDS, connected
from shared.errors import ServiceError

ANSWER_SECONDS = 30.0
"""How long a service may take from the last byte it is sent to the last it sends."""
MAX_REPLY_BYTES = 64 * 2**20
"""10,000 results with their records are about 15 MB."""

_CHUNK_BYTES = 256 * 1024
_VERSION_HEADER = "Lookalike-Version"


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request: parts that follow one another."""

    kind: str
    parts: tuple[bytes, ...]

    @property
    def length(self) -> int:
        """Bytes of all parts."""
        return sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Reply:
    """`version`: that of the service, None if it tells none."""

    status: int
    version: str | None
    body: bytes


class Service:
    """A running service. Its connection is kept for the next request. Not for several threads."""

    def __init__(
        self,
        name: str,
        link: http.client.HTTPConnection,
        *,
        prefix: str = "",
        api_key: str | None = None,
    ) -> None:
        self._name, self._link, self._prefix = name, link, prefix
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}

    @classmethod
    def at_socket(cls, link: socket.socket, path: str) -> Service:
        """The service at the other end of a connected Unix socket, which `path` names."""
        return cls("the search service", _UnixConnection(link, path))

    @classmethod
    def at_url(cls, url: str, api_key: str | None) -> Service:
        """The service at an http(s) address; nothing is sent before the first request."""
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        link = kinds[parts.scheme](parts.netloc, timeout=CONNECT_SECONDS)
        return cls(url, link, prefix=parts.path.rstrip("/"), api_key=api_key)

    @property
    def is_local(self) -> bool:
        """Whether the service runs on this machine, at the other end of a Unix socket."""
        return isinstance(self._link, _UnixConnection)

    def close(self) -> None:
        """End the connection; closing twice is harmless."""
        self._link.close()

    def get(self, path: str, *, limit: int = MAX_REPLY_BYTES) -> Reply:
        """What is at a path of the service, of `limit` bytes at most. Raises `ServiceError`."""
        return self._request("GET", path, None, limit)

    def post(self, path: str, content: Content) -> Reply:
        """What the service answers to a body. Raises `ServiceError`."""
        return self._request("POST", path, content, MAX_REPLY_BYTES)

    def failed(self, reason: str) -> ServiceError:
        """An error that names the service."""
        return ServiceError(f"{self._name} {reason}")

    def _request(self, method: str, path: str, content: Content | None, limit: int) -> Reply:
        kept = self._link.sock is not None
        try:
            try:
                return self._once(method, path, content, limit)
            except ConnectionError:
                if not kept:
                    raise
                return self._once(method, path, content, limit)  # it had been idle for too long
        except TimeoutError as error:
            raise self.failed("does not answer in time: try again, or look into its log") from error
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            shown = " ".join(str(reason).split()) or type(error).__name__
            raise self.failed(f"cannot be reached: {shown}") from error

    def _once(self, method: str, path: str, content: Content | None, limit: int) -> Reply:
        try:
            self._send(method, path, content)
            deadline = monotonic() + ANSWER_SECONDS
            response = self._link.getresponse()
            body = self._body(response, deadline, limit)
            response.close()  # else the connection would not take another request
            return Reply(response.status, response.getheader(_VERSION_HEADER), body)
        except BaseException:
            self._link.close()
            raise

    def _send(self, method: str, path: str, content: Content | None) -> None:
        headers = self._headers | {"Accept": "application/json, image/jpeg"}
        if content is not None:
            headers |= {"Content-Type": content.kind, "Content-Length": str(content.length)}
        if self._link.sock is None:
            self._link.connect()
        self._link.sock.settimeout(ANSWER_SECONDS)
        parts = None if content is None else content.parts
        # A service that refuses a body may answer before it has it all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._link.request(method, self._prefix + path, parts, headers)

    def _body(self, response: http.client.HTTPResponse, deadline: float, limit: int) -> bytes:
        """All of the body; one that trickles in is waited for no longer than one that does not
        come."""
        chunks, size = [], 0
        while chunk := response.read1(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise self.failed(f"answers with more than {limit} bytes")
            if monotonic() > deadline:
                raise TimeoutError
            chunks.append(chunk)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(chunks)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket: the one that is connected already, and then others."""

    def __init__(self, link: socket.socket, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT_SECONDS)
        self._first: socket.socket | None = link
        self._path = path

    def connect(self) -> None:
        """Connect to the path. Raises OSError."""
        self.sock, self._first = self._first or connected(self._path), None

    def close(self) -> None:
        """End the connection, also one that was never used."""
        if self._first is not None:
            self._first.close()
        self._first = None
        super().close()
