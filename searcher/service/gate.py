"""`Gate`: a few threads that work, a bounded number of requests that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from searcher.service.metrics import GateMeter
from searcher.service.problems import Problem

Result = TypeVar("Result")


class Gate:
    """Runs blocking work in `threads` threads. Beyond `waiting` more requests it says no at once,
    so that those who wait are answered in bounded time."""

    def __init__(self, name: str, *, threads: int, waiting: int, meter: GateMeter) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._meter = meter
        self._inside = 0  # at work and waiting

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` gives, from another thread. Raises `Problem` 503 when too many wait."""
        if self._inside >= self._most:
            self._meter.refused.inc()
            raise Problem(503, "too many requests are waiting: try again", {"Retry-After": "1"})
        self._inside += 1
        self._meter.inside.inc()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, work)
        finally:
            self._inside -= 1
            self._meter.inside.dec()

    def _work(self, work: Callable[[], Result]) -> Result:
        with self._meter.working.track_inprogress():
            return work()

    def close(self) -> None:
        """Let what is at work end, and drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
