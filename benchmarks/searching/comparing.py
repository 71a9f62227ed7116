"""All sides at one size and one k: latency, recall, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.searching.filling import Filling
from benchmarks.searching.sides import ARRAYS, FLAT, LISTS, OURS, Asking, Side
from benchmarks.searching.timing import Asked, in_turns, on_processors
from shared.store.edge import EdgeStore
from shared.types import Embeddings

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """One side. `memory`: bytes by which its index makes the process grow, mapped files and all;
    `own_memory`: without those. `one`, `both`: on one processor and on all."""

    size: int
    k: str
    side: str
    probes: int
    memory: int
    own_memory: int
    one: Asked
    both: Asked


@dataclass(frozen=True, slots=True)
class Plan:
    """How many queries ask how often: of clusters, and of everything."""

    queries: int
    rounds: int
    flat_queries: int
    flat_rounds: int


def compare(
    filling: Filling, size: int, k: str, queries: Embeddings, plan: Plan, *, flat: bool
) -> list[Row]:
    """Ask in clusters and, if `flat`, everything, which has nothing to do with k."""
    asking = Asking(filling, size, queries)
    exact = asking.exact(plan.queries)
    sizes = {LISTS: asking.lists, ARRAYS: asking.arrays}
    rows = _asked(filling, asking, sizes, exact, plan.rounds, size, k, of_clusters=True)
    if flat:
        few = {probes: sets[: plan.flat_queries] for probes, sets in exact.items()}
        builds = {FLAT: asking.flat, ARRAYS: asking.flat_array}
        rows += _asked(
            filling, asking, builds, few, plan.flat_rounds, size, EVERYTHING, of_clusters=False
        )
    return rows


def _asked(
    filling: Filling,
    asking: Asking,
    builds: Mapping[str, Callable[[], list[Side]]],
    exact: Mapping[int, list[set[int]]],
    rounds: int,
    size: int,
    k: str,
    *,
    of_clusters: bool,
) -> list[Row]:
    peers: list[Side] = []
    memory: dict[str, tuple[int, int]] = {}
    for name, build in builds.items():
        before = _resident()
        peers += build()
        memory[name] = _grown(before)
    found: list[list[Asked]] = []
    for processors in (None, 1):
        with on_processors(processors):
            before = _resident()
            store = EdgeStore.open(filling.folder)
            ours = [side for side in asking.store(store) if (side.probes > 0) == of_clusters]
            sides = [*ours, *peers]
            found.append(in_turns(sides, exact, rounds))
            memory[OURS] = _grown(before)
            store.close()
    return [
        Row(size, k, side.name, side.probes, *memory[side.name], one, both)
        for side, both, one in zip(sides, *found, strict=True)
    ]


def _grown(before: tuple[int, int]) -> tuple[int, int]:
    after = _resident()
    return max(0, after[0] - before[0]), max(0, after[1] - before[1])


def _resident() -> tuple[int, int]:
    """Resident bytes of this process, all and without mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    total, own = (int(values[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))
    return total, own
