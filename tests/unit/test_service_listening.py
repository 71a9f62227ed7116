"""The sockets that several processes of the service share."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from searcher.service.listening import SharedListener


@pytest.fixture
def listener() -> Iterator[SharedListener]:
    with SharedListener(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.bind(("127.0.0.1", 0))
        made.listen(8)
        made.setblocking(False)
        yield made


def connected(listener: SharedListener, number: int) -> list[socket.socket]:
    return [socket.create_connection(listener.getsockname()) for _ in range(number)]


def taken(listener: SharedListener) -> int:
    """How many one look takes, as asyncio looks: until there are none."""
    number = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_one_look_takes_one_connection_and_leaves_the_rest(listener: SharedListener) -> None:
    clients = connected(listener, 3)
    assert [taken(listener) for _ in range(5)] == [1, 1, 1, 0, 0]
    for client in clients:
        client.close()


def _take_in_another_process(listener: SharedListener, answer: Connection) -> None:
    answer.send((type(listener).__name__, [taken(listener) for _ in range(3)]))


def test_a_process_that_is_started_gets_the_same_socket(listener: SharedListener) -> None:
    clients = connected(listener, 2)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_take_in_another_process, args=(listener, theirs)
    )
    process.start()
    theirs.close()  # else a process that fails would be waited for without end
    assert ours.recv() == ("SharedListener", [1, 1, 0])
    process.join()
    for client in clients:
        client.close()
