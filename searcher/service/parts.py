"""`Service`: the parts that the routes share, made once for each process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from searcher.service.engine import Engine, Opened
from searcher.service.gate import Gate
from searcher.service.metrics import Metrics
from searcher.service.policy import Policy
from searcher.service.problems import Problem
from searcher.service.streams import Streams
from searcher.service.thumbnails import Thumbnails

PROBE_SECONDS = 2.0
"""A probe that is not answered by then is answered no."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the service.

    `questions` and `files` are gates of their own, so that a page full of thumbnails keeps no
    question waiting; `operation` is for probes, which are answered however busy the others are.
    `stop` is set when the service is about to end.
    """

    policy: Policy
    engine: Engine
    thumbnails: Thumbnails
    questions: Gate
    files: Gate
    operation: Gate
    streams: Streams
    metrics: Metrics
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, view: Callable[[Opened], Result]) -> Result:
        """A view of the collection, from one of the threads for files."""
        return await self.files.run(lambda: self.engine.consistent(view))

    async def probe(self, view: Callable[[Opened], Result]) -> Result:
        """A view for a probe. Raises `Problem` 503 if there is none within `PROBE_SECONDS`."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await self.operation.run(lambda: self.engine.consistent(view))
        except TimeoutError:
            raise Problem(503, "the store does not answer", {"Retry-After": "5"}) from None

    def close(self) -> None:
        """End what the parts hold."""
        self.questions.close()
        self.files.close()
        self.operation.close()
        self.engine.close()
