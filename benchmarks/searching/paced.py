"""Queries of one cluster each, one after the other or at random moments."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from shared.store.protocol import Probe, VectorStore
from shared.types import Embeddings

TOP = 10
"""How many of the nearest are asked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """Queries, float32 (q, 512), and the label of each one's cluster."""

    queries: Embeddings
    labels: list[str]

    def ask(self, store: VectorStore, number: int, *, with_records: bool = False) -> None:
        """Ask one; the numbers go round."""
        number %= len(self.labels)
        probe = Probe(self.queries[number], self.labels[number], TOP)
        store.search([probe], with_records=with_records)

    def seconds_of_all(self, store: VectorStore, *, with_records: bool) -> list[float]:
        """Each once."""
        seconds = []
        for number in range(len(self.labels)):
            started = time.perf_counter()
            self.ask(store, number, with_records=with_records)
            seconds.append(time.perf_counter() - started)
        return seconds


def ask_at_random(
    store: VectorStore, question: Question, per_second: float, until: float, *, seed: int
) -> list[tuple[float, float]]:
    """Queries at moments drawn beforehand, as people ask who know nothing of the store's work:
    start and end of each by the monotonic clock. One that had to wait for the one before counts
    from its own moment.
    """
    drawn = random.Random(seed)
    asked: list[tuple[float, float]] = []
    due, number = time.monotonic(), 0
    while True:
        due += drawn.expovariate(per_second)
        if due >= until:
            return asked
        pause = due - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        started = time.monotonic() if pause > 0 else due
        question.ask(store, number)
        asked.append((started, time.monotonic()))
        number += 1
