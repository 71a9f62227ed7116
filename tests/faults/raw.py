"""HTTP spoken by hand, for what no client library would send."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tests.daemons import DEADLINE_SECONDS
from tests.services import Reply


@contextlib.contextmanager
def link(port: int, *, window: int | None = None) -> Iterator[socket.socket]:
    """A connection to the service. `window`: bytes that the kernel takes before they are read."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        if window is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        opened.settimeout(DEADLINE_SECONDS)
        opened.connect(("127.0.0.1", port))
        yield opened


def exchange(port: int, request: bytes) -> list[Reply]:
    """What comes back for these bytes until the service closes the connection."""
    with link(port) as opened:
        opened.sendall(request)
        return replies(until_closed(opened))


def until_closed(opened: socket.socket) -> bytes:
    """All that comes, until the other side closes or resets."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while more := opened.recv(65_536):
            found += more
    return found


def replies(data: bytes) -> list[Reply]:
    """The whole responses with a length in these bytes."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        size = int(headers.get("content-length", "0"))
        found.append(Reply(int(first.split(" ")[1]), headers, rest[:size]))
        data = rest[size:]
    return found


def head(method: str, path: str, *lines: str) -> bytes:
    """A request's head for the service on this machine."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
