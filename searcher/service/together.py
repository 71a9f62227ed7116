"""An answer's head and body in one piece: a process that dies sends both or neither."""

from __future__ import annotations

import asyncio
from typing import Any


class HeadWithBody:
    """A connection's transport that keeps the head of an answer until its body follows.

    uvicorn writes them one after the other. Killed in between, a process leaves half an answer,
    which a balancer has passed on by then and cannot ask anyone else for. A head that nothing
    follows in the same turn of the loop, as that of a stream, goes alone.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send, or keep what looks like a head; what looks so within a body is late by a turn."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n"):
            self._head = data
            self._loop.call_soon(self._send_head)
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data if head else data)

    def close(self) -> None:
        """Send what is kept, and close."""
        self._send_head()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's own."""
        return getattr(self._transport, name)

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)
