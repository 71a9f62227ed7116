"""uvicorn's HTTP/1.1 with what it lacks: limits on time and size of a request's head."""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from searcher.service.problems import MEDIA_TYPE

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
LEFT_BODY_SECONDS = 5.0
CONNECTIONS = 1_000

_log = logging.getLogger(__name__)


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too large or too slow, and those that are too many.

    `on_stop`, in the state that the app's lifespan gave, is called when the service stops.
    """

    _head_bytes = 0
    _in_head = _in_message = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request's head."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(503, f"more than {CONNECTIONS:,} connections: try later")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a head or a body."""
        if not self._in_message and not self._in_head:
            self._expect_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"the request's head has more than {HEAD_BYTES:,} bytes")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the body has limits of its own."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._in_message = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; a body that nobody read any more must not go on for ever."""
        super().on_response_complete()
        if self._in_message and self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(LEFT_BODY_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error is answered."""
        self._refuse(400, msg)

    def shutdown(self) -> None:
        """The service stops: streams that never end by themselves are told."""
        stop = self.app_state.get("stop")
        if stop is not None:
            stop.set()
        super().shutdown()

    def _expect_head(self) -> None:
        self._stop_timer()
        self._in_head, self._head_bytes = True, 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._head_bytes:
            self._refuse(408, f"the request's head took longer than {HEAD_SECONDS:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        phrase = HTTPStatus(status).phrase
        value: dict[str, Any] = {
            "type": "about:blank",
            "title": phrase,
            "status": status,
            "detail": detail,
        }
        body = json.dumps(value).encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
