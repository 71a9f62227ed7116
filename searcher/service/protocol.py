"""uvicorn's HTTP/1.1 with what it lacks: limits on time and size of heads, and on slow readers."""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from searcher.service.headers import ALWAYS, REQUEST_ID
from searcher.service.policy import Policy
from searcher.service.problems import MEDIA_TYPE, Problem, problem_body
from searcher.service.together import HeadWithBody

LEAST_READ_BYTES = 16 * 1024
"""Whoever reads less of an answer in `Policy.idle_seconds` is cut off."""


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too large or too slow, whose reader is too slow, and those
    that are too many.

    The state that the app's lifespan gives has the `policy`, and `stop`, which is set when the
    service stops.
    """

    _head_bytes = 0
    _in_head = _in_message = False
    _timer: asyncio.TimerHandle | None = None
    _unread = 0
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request's head."""
        together = HeadWithBody(transport, self.loop)
        super().connection_made(together)  # type: ignore[arg-type]
        self._policy: Policy = self.app_state["policy"]
        most = self._policy.connections
        if len(self.connections) > most:
            self._refuse(
                Problem(503, f"more than {most:,} connections: try later", {"Retry-After": "5"})
            )
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timer()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a head or a body."""
        if not self._in_message and not self._in_head:
            self._expect_head()
        self._head_bytes += len(data)
        super().data_received(data)
        most = self._policy.head_bytes
        if self._in_head and self._head_bytes > most:
            self._refuse(Problem(431, f"the request's head has more than {most:,} bytes"))

    def on_message_begin(self) -> None:
        """The first byte of a request, which may come together with the end of another."""
        self._in_message = True
        if not self._in_head:
            self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the body has limits of its own."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request. After its answer, nothing else waits for the next one."""
        self._in_message = False
        self._stop_timer()
        super().on_message_complete()
        if self.cycle.response_complete:
            self._close_later()

    def on_response_complete(self) -> None:
        """The answer is out; a body that nobody read any more must not go on for ever."""
        super().on_response_complete()
        self._watch_reader()
        left = self._in_message and self.cycle.response_complete
        if left and self._timer is None and not self.transport.is_closing():
            self._close_later()

    def pause_writing(self) -> None:
        """More is to be sent than the other side has read."""
        super().pause_writing()
        self._watch_reader()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error is answered."""
        self._refuse(Problem(400, msg))

    def shutdown(self) -> None:
        """The service stops: streams that never end by themselves are told."""
        self.app_state["stop"].set()
        super().shutdown()

    def _expect_head(self) -> None:
        self._stop_timer()
        self._in_head, self._head_bytes = True, 0
        self._timer = self.loop.call_later(self._policy.head_seconds, self._too_slow)

    def _close_later(self) -> None:
        self._timer = self.loop.call_later(self._policy.idle_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._head_bytes:
            seconds = self._policy.head_seconds
            self._refuse(Problem(408, f"the request's head took longer than {seconds:g} s"))
        else:
            self.transport.close()

    def _watch_reader(self) -> None:
        """Look from time to time whether an answer is read, until all of it is: closing alone
        would wait for that without end."""
        if self._reading is None:
            self._unread = self.transport.get_write_buffer_size()
            if self._unread:
                self._reading = self.loop.call_later(self._policy.idle_seconds, self._look_again)

    def _look_again(self) -> None:
        self._reading = None
        now = self.transport.get_write_buffer_size()
        if now and now > self._unread - LEAST_READ_BYTES:
            self.transport.abort()
        else:
            self._watch_reader()

    def _refuse(self, problem: Problem) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        request_id = str(uuid.uuid4())
        body = problem_body(problem, request_id)
        headers = {
            **ALWAYS,
            **problem.headers,
            REQUEST_ID: request_id,
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        self.transport.write(f"{status}{head}\r\n".encode("latin-1") + body)
        self.transport.close()
        self._watch_reader()
