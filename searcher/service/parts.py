"""`Service`: the parts that the routes share, made once for each process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from searcher.service.engine import Engine, Opened
from searcher.service.gate import Gate
from searcher.service.policy import Policy
from searcher.service.streams import Streams
from searcher.service.thumbnails import Thumbnails

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the service.

    `questions` and `files` are gates of their own, so that a page full of thumbnails keeps no
    question waiting. `stop` is set when the service is about to end.
    """

    policy: Policy
    engine: Engine
    thumbnails: Thumbnails
    questions: Gate
    files: Gate
    streams: Streams
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, view: Callable[[Opened], Result]) -> Result:
        """A view of the collection, from one of the threads for files."""
        return await self.files.run(lambda: self.engine.consistent(view))

    def close(self) -> None:
        """End what the parts hold."""
        self.questions.close()
        self.files.close()
        self.engine.close()
