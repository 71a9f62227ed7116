"""The REST face: HTTP/1.1 with connections that stay open, a thread for each."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tests.qdrant.answering import Answering
from tests.qdrant.asking import Asked, Reply

CONTROL = "/_stub/"
"""Routes of the stub itself: `GET requests`, `POST fail`."""
MOST_BYTES = 32 * 2**20
"""What the server takes in one request unless it is configured otherwise."""
_NO_LINGER = struct.pack("ii", 1, 0)


class RestServer(ThreadingHTTPServer):
    """Listens as soon as it is made; `serve_forever` answers.

    `certificate`: the files of a certificate and its key, for TLS.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        answering: Answering,
        *,
        handler: type[Handler],
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.answering = answering
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        if self._tls is not None and certificate is not None:
            self._tls.load_cert_chain(*certificate)
        super().__init__((host, port), handler)

    def get_request(self) -> tuple[Any, Any]:
        """The next connection; its thread shakes hands, or a slow client would stop all others."""
        link, address = super().get_request()
        if self._tls is not None:
            link = self._tls.wrap_socket(link, server_side=True, do_handshake_on_connect=False)
        return link, address

    def shutdown_request(self, request: Any) -> None:
        """Close and no more: a farewell before it would turn every reset into a plain end."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RestServer

    def answer(self) -> None:
        """One request."""
        started = time.perf_counter()
        address = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(length)
        if len(data) < length:  # the client died on its way: Qdrant drops the request, too
            self.close_connection = True
            return
        if address.path.startswith(CONTROL):
            self.send(self.control(address.path.removeprefix(CONTROL), data), started)
        else:
            self.send(self.reply(address, data), started)

    def reply(self, address: SplitResult, data: bytes) -> Reply:
        """What is to be answered to a request with this body."""
        answering = self.server.answering
        try:
            if len(data) > MOST_BYTES:
                raise ValueError(f"{len(data)} bytes are more than {MOST_BYTES}")
            body = json.loads(data, parse_constant=_no_number) if data else None
        except ValueError as error:
            return answering.broken(self.command, address.path, str(error))
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        headers = {key.lower(): value for key, value in self.headers.items()}
        return answering.answer(Asked(self.command, address.path, query, body, headers))

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def control(self, route: str, data: bytes) -> Reply:
        """What tests ask of the stub, not of the server that it stands for."""
        answering = self.server.answering
        if (self.command, route) == ("GET", "requests"):
            return Reply(result=list(answering.requests))
        if (self.command, route) == ("POST", "fail"):
            try:
                answering.failures.plan(json.loads(data))
            except (TypeError, ValueError) as error:
                return Reply(400, error=str(error))
            return Reply(result=True)
        return Reply(404, error=f"no such control route: {route}")

    def send(self, reply: Reply, started: float) -> None:
        """Send the answer in one piece, or end the connection as the reply says."""
        if reply.cut is not None:
            self.close_connection = True
            if reply.cut == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            return
        kind, data = _encoded(reply, time.perf_counter() - started)
        head = [
            f"HTTP/1.1 {reply.status} {self.responses[reply.status][0]}",
            f"content-type: {kind}",
            f"content-length: {len(data)}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _encoded(reply: Reply, seconds: float) -> tuple[str, bytes]:
    if reply.form == "text":
        text = reply.result if reply.error is None else reply.error
        return "text/plain; charset=utf-8", str(text).encode()
    value: Any = {"result": reply.result, "status": "ok", "time": seconds}
    if reply.error is not None:
        value = {"status": {"error": reply.error}, "time": seconds}
    elif reply.form == "bare":
        value = reply.result
    return "application/json", json.dumps(value).encode()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
