"""Stands in for a search service where a real one would have to misbehave: it answers what a test
says, over TCP or a Unix socket, and keeps what it was asked."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseServer, TCPServer, ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it arrived; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def form(self) -> list[tuple[str, str | None, bytes]]:
        """The parts of a form: name, file name, content."""
        boundary = self.headers["content-type"].partition("boundary=")[2].encode()
        before, *parts, end = self.body.split(b"--" + boundary)
        assert (before, end) == (b"", b"--\r\n")
        return [_part(part) for part in parts]


def _part(part: bytes) -> tuple[str, str | None, bytes]:
    head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    assert content.endswith(b"\r\n")
    (line,) = [one for one in head.decode().split("\r\n") if "disposition" in one.lower()]
    values = dict(re.findall(r' (name|filename)="([^"]*)"', line))
    return values["name"], values.get("filename"), content.removesuffix(b"\r\n")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. With `cut`, the connection ends after so many bytes of the body."""

    status: int = 200
    body: bytes = b"{}"
    version: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200, **more: Any) -> Reply:
        """A value as JSON."""
        return cls(status, json.dumps(value).encode(), **more)


class _Tcp(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Unix(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class FakeService:
    """Listens while it is a context; at a Unix socket if `path` is given."""

    def __init__(self, answer: Callable[[Heard], Reply], path: Path | None = None) -> None:
        self.heard: list[Heard] = []
        self._path = path
        handler = _handler(answer, self.heard)
        self._server: BaseServer
        if path is None:
            server = _Tcp(("127.0.0.1", 0), handler)
            self.url, self._server = f"http://127.0.0.1:{server.server_address[1]}", server
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.url, self._server = "", _Unix(os.fspath(path), handler)

    def __enter__(self) -> FakeService:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._path is not None:
            self._path.unlink()


def _handler(answer: Callable[[Heard], Reply], heard: list[Heard]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Heard(self.command, self.path, headers, body)
            heard.append(asked)
            reply = answer(asked)
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.version is not None:
                self.send_header("Lookalike-Version", reply.version)
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            self.close_connection = self.close_connection or reply.cut is not None

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    return Handler
