"""A request's body as it comes in: counted, timed, and bounded together with all the others."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from searcher.service.problems import Problem

CLOSE = {"Connection": "close"}
"""For answers after which nobody knows where the next request begins."""
_DRAINED_BYTES = 64 * 2**20
_DRAINED_SECONDS = 5.0


class Held:
    """The bytes of all bodies that are held at a time: what each may have, times the connections
    there may be, is more than a machine has."""

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    def take(self, number: int) -> None:
        """Hold so many bytes more. Raises `Problem` 503 if that is too many."""
        if self._now + number > self._most:
            raise Problem(
                503, "too many uploads at a time: try again", {"Retry-After": "1", **CLOSE}
            )
        self._now += number

    def give(self, number: int) -> None:
        """Hold so many bytes less."""
        self._now -= number


class Body:
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
                408, f"the request's body took longer than {self._seconds:g} s", CLOSE
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
        return Problem(413, f"the request has more than {self._max:,} bytes: send less", CLOSE)
