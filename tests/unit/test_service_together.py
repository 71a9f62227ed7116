"""The head of an answer goes with its body."""

from __future__ import annotations

import asyncio

from searcher.service.together import HeadWithBody

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Wire:
    """What a transport was told to do."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 7


def test_head_and_body_are_one_write_and_the_rest_goes_on() -> None:
    async def answer(wire: Wire) -> None:
        transport = HeadWithBody(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
        transport.write(HEAD)
        assert wire.sent == []
        transport.write(b"bo")
        transport.write(b"dy")
        await asyncio.sleep(0)
        transport.write(HEAD)
        transport.write(b"")
        assert transport.get_write_buffer_size() == 7

    wire = Wire()
    asyncio.run(answer(wire))
    assert wire.sent == [HEAD + b"bo", b"dy", HEAD]


def test_a_head_that_nothing_follows_goes_alone_and_once() -> None:
    async def stream(wire: Wire) -> None:
        transport = HeadWithBody(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
        transport.write(HEAD)
        await asyncio.sleep(0)
        assert wire.sent == [HEAD]
        transport.write(b"data: 1")

    wire = Wire()
    asyncio.run(stream(wire))
    assert wire.sent == [HEAD, b"data: 1"]


def test_closing_sends_what_is_kept_before() -> None:
    async def refuse(wire: Wire) -> None:
        transport = HeadWithBody(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
        transport.write(HEAD)
        transport.close()
        assert wire.sent == [HEAD]

    wire = Wire()
    asyncio.run(refuse(wire))
    assert wire.closed
    assert wire.sent == [HEAD]
