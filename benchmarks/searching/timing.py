"""Every way to ask timed in turns, on one processor or on all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.searching.sides import Side


@dataclass(frozen=True, slots=True)
class Asked:
    """One side: seconds of every query of every round, and what share of the true nearest its
    answers held: of those in the clusters that it searched, and of everything."""

    seconds: NDArray[np.float64]
    recall: float
    recall_of_all: float

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


def in_turns(
    sides: Sequence[Side], exact: Mapping[int, list[set[int]]], rounds: int
) -> list[Asked]:
    """Each side asks every query once a round; one round more comes first and gives the recalls."""
    queries = len(exact[0])
    recalls = [_recalls(side, exact) for side in sides]
    seconds = np.empty((len(sides), rounds, queries))
    for turn in range(rounds):
        for number, side in enumerate(sides):
            for asked in range(queries):
                started = time.perf_counter()
                side.ask(asked)
                seconds[number, turn, asked] = time.perf_counter() - started
    return [Asked(seconds[number].ravel(), *recall) for number, recall in enumerate(recalls)]


def _recalls(side: Side, exact: Mapping[int, list[set[int]]]) -> tuple[float, float]:
    shares = np.zeros(2)
    for asked, everything in enumerate(exact[0]):
        found = set(side.ask(asked))
        for place, true in enumerate((exact[side.probes][asked], everything)):
            shares[place] += len(found & true) / max(1, len(true))
    within, of_all = shares / len(exact[0])
    return float(within), float(of_all)


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
