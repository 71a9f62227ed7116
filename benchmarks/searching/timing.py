"""Every way to ask timed in turns, on one processor or on all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.searching.sides import Side


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of every query of every round, (rounds, queries)."""

    seconds: NDArray[np.float64]

    @property
    def p50(self) -> float:
        """Seconds."""
        return float(np.percentile(self.seconds, 50))

    @property
    def p99(self) -> float:
        """Seconds."""
        return float(np.percentile(self.seconds, 99))

    @property
    def per_second(self) -> float:
        """Queries, one after the other."""
        return float(1 / self.seconds.mean())


def in_turns(sides: Sequence[Side], queries: int, rounds: int) -> list[Times]:
    """Each side asks every query once a round. A round more comes first: it fetches from the disk
    and is not counted."""
    seconds = np.empty((len(sides), rounds + 1, queries))
    for turn in range(rounds + 1):
        for number, side in enumerate(sides):
            for asked in range(queries):
                started = time.perf_counter()
                side.ask(asked)
                seconds[number, turn, asked] = time.perf_counter() - started
    return [Times(of_side[1:]) for of_side in seconds]


@contextmanager
def on_processors(number: int | None) -> Iterator[None]:
    """That many processors and threads for this thread and those it starts; None for all."""
    before = os.sched_getaffinity(0)
    some = sorted(before)[:number]
    os.sched_setaffinity(0, some)
    faiss.omp_set_num_threads(len(some))
    try:
        with threadpool_limits(len(some)):
            yield
    finally:
        os.sched_setaffinity(0, before)
        faiss.omp_set_num_threads(len(before))
