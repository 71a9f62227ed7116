"""All sides at one size and one k: latency, recall, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.searching.filling import Filling
from benchmarks.searching.recall import Nearest, nearest_of
from benchmarks.searching.sides import PROBES, Asking, Side
from benchmarks.searching.timing import Times, in_turns, on_processors
from shared.store.edge.store import EdgeStore
from shared.types import Embeddings

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many queries ask how often: of clusters, and of everything."""

    queries: int
    rounds: int
    flat_queries: int
    flat_rounds: int


@dataclass(frozen=True, slots=True)
class Row:
    """One side. `recall`: of the nearest in the clusters searched, `recall_of_all`: of all.
    `memory`: bytes of its index; for the store, by which the process grows, mapped files and all,
    and `own_memory` without those. `one`, `both`: on one processor and on all."""

    size: int
    k: str
    side: str
    probes: int
    recall: float
    recall_of_all: float
    memory: int
    own_memory: int
    one: Times
    both: Times


def compare(
    filling: Filling, size: int, k: str, queries: Embeddings, plan: Plan, *, flat: bool
) -> Iterator[Row]:
    """Ask in clusters and, if `flat`, everything, which has nothing to do with k."""
    asking = Asking(filling, size, queries)
    truth = nearest_of(asking, plan.queries)
    peers = [*asking.lists(), asking.arrays()]
    yield from _rows(filling, truth, k, PROBES, peers, plan.queries, plan.rounds)
    if flat:
        peers = [asking.flat(), asking.flat_array()]
        asked = plan.flat_queries, plan.flat_rounds
        yield from _rows(filling, truth, EVERYTHING, (0,), peers, *asked)


def _rows(
    filling: Filling,
    truth: Nearest,
    k: str,
    probes: tuple[int, ...],
    peers: list[Side],
    queries: int,
    rounds: int,
) -> Iterator[Row]:
    times: list[list[Times]] = []
    for processors in (None, 1):
        with on_processors(processors):
            before = _resident()
            store = EdgeStore.open(filling.folder)
            sides = [*truth.asking.store(store, probes), *peers]
            times.append(in_turns(sides, queries, rounds))
            after = _resident()
            recalls = [truth.recall(side, queries) for side in sides]
            store.close()
    size = len(truth.asking.points)
    grown = max(0, after[0] - before[0]), max(0, after[1] - before[1])
    for side, recall, both, one in zip(sides, recalls, times[0], times[1], strict=True):
        memory = (side.memory, side.memory) if side.memory else grown
        yield Row(size, k, side.name, side.probes, *recall, *memory, one, both)


def _resident() -> tuple[int, int]:
    """Resident bytes of this process, all and without mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    total, own = (int(values[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))
    return total, own
