"""Clients that ask one question after the other, each in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.asking.questions import BOUNDARY

STAGES = ("decode", "encode", "search")
"""What the service tells of an answer, in milliseconds."""

_HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
_SILENCE_SECONDS = 60.0
_NO_ANSWER = 0
_START_SECONDS = 0.005
"""That a client takes to come to life."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: seconds until it was whole, its status, when it came, and its stages in ms.

    `honest`: a 503 that says when to come again.
    """

    seconds: float
    status: int
    came: float
    stages: tuple[float, ...] = ()
    honest: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What so many clients got who began at `began` and asked until `ended`."""

    clients: int
    began: float
    ended: float
    replies: Sequence[Reply]

    @property
    def good(self) -> list[Reply]:
        """The answers."""
        return [one for one in self.replies if one.status == 200]

    @property
    def rate(self) -> float:
        """Answers/s, of those that came before the end."""
        return sum(one.came <= self.ended for one in self.good) / (self.ended - self.began)

    @property
    def busy(self) -> int:
        """How many were told to come again later."""
        return sum(one.honest for one in self.replies)

    @property
    def wrong(self) -> int:
        """How many got anything else, or nothing."""
        return len(self.replies) - len(self.good) - self.busy


def load(
    port: int, clients: int, bodies: Sequence[bytes], seconds: float, most: int | None = None
) -> Load:
    """So many clients ask for so many seconds, or `most` questions each where that is less."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[list[Reply]] = context.Queue()
    began = time.perf_counter() + 0.1 + clients * _START_SECONDS
    apart = max(1, len(bodies) // clients)  # so that together they soon have asked everything
    processes = [
        context.Process(
            target=_ask, args=(port, bodies, first, (began, began + seconds), most, results)
        )
        for first in range(0, clients * apart, apart)
    ]
    for process in processes:
        process.start()
    wait = seconds + 3 * _SILENCE_SECONDS
    replies = [one for _ in processes for one in results.get(timeout=wait)]
    for process in processes:
        process.join()
    ended = began + seconds if most is None else max(one.came for one in replies)
    return Load(clients, began, ended, replies)


def _ask(
    port: int,
    bodies: Sequence[bytes],
    first: int,
    span: tuple[float, float],
    most: int | None,
    results: multiprocessing.Queue[list[Reply]],
) -> None:
    began, ended = span
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=_SILENCE_SECONDS)
    replies: list[Reply] = []
    time.sleep(max(0.0, began - time.perf_counter()))
    for place in itertools.count(first):
        if time.perf_counter() > ended or len(replies) == most:
            break
        replies.append(_answered(link, bodies[place % len(bodies)]))
    results.put(replies)


def _answered(link: http.client.HTTPConnection, body: bytes) -> Reply:
    """One question's reply; after a 503 waits as long as it says."""
    started = time.perf_counter()
    try:
        link.request("POST", "/search", body, _HEADERS)
        reply = link.getresponse()
        content = reply.read()
    except (OSError, http.client.HTTPException):
        with contextlib.suppress(OSError):
            link.close()
        time.sleep(0.1)
        return Reply(time.perf_counter() - started, _NO_ANSWER, time.perf_counter())
    came = time.perf_counter()
    if reply.status == 200:
        took = json.loads(content)["took_ms"]
        return Reply(came - started, 200, came, tuple(took[stage] for stage in STAGES))
    again = reply.headers.get("Retry-After", "") if reply.status == 503 else ""
    if again.isdecimal():
        time.sleep(int(again))
    return Reply(came - started, reply.status, came, honest=again.isdecimal())
