"""A discrete simulation of questions: searchers before a cluster of shards.

Questions arrive at random (Poisson). A searcher works on two at a time, on one core's worth of
them; each goes to one node, which asks one replica of every shard; a shard is so many segments, and
each takes one core of its node, first come, first served. A question is answered when its slowest
segment is. Times of segments are drawn from measured ones.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.inputs import PICTURES, measurements, values

Milliseconds = NDArray[np.float64]
SLOTS = 2
"""Questions that a worker of the service has in hand (`searcher/service/policy.py`)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Shards on nodes. `segment_ms`: the median search in one segment."""

    nodes: int
    shards: int
    replicas: int
    segments: int
    segment_ms: float
    cores: int

    @property
    def core_ms(self) -> float:
        """Core-milliseconds of a question, over all nodes."""
        return self.shards * self.segments * self.segment_ms

    def holders(self, shard: int) -> list[int]:
        """The nodes that hold a shard's replicas."""
        return [(shard * self.replicas + turn) % self.nodes for turn in range(self.replicas)]


def arrivals(rate: float, count: int, random: np.random.Generator) -> Milliseconds:
    """Times of `count` questions that come at `rate` a second."""
    return np.cumsum(random.exponential(1e3 / rate, count))


def from_cluster(
    cluster: Cluster, came: Milliseconds, random: np.random.Generator, lost: Sequence[int] = ()
) -> Milliseconds:
    """Milliseconds until each question's last shard has answered; `lost` nodes are down and known
    to be. Raises ValueError if a shard has no replica left."""
    alive = [node for node in range(cluster.nodes) if node not in lost]
    holders = [[n for n in cluster.holders(s) if n in alive] for s in range(cluster.shards)]
    if not all(holders):
        raise ValueError(f"nodes {list(lost)} hold every replica of a shard")
    free = [[0.0] * cluster.cores for _ in range(cluster.nodes)]
    tasks = cluster.shards * cluster.segments
    took = np.empty(len(came))
    for number, time in enumerate(came):
        entry = alive[int(random.integers(len(alive)))]
        pick = random.random(cluster.shards)
        each = (cluster.segment_ms * _ratios(random, tasks)).tolist()
        last = 0.0
        for shard, mine in enumerate(holders):
            node = entry if entry in mine else mine[int(pick[shard] * len(mine))]
            for task in range(shard * cluster.segments, (shard + 1) * cluster.segments):
                end = max(float(time), free[node][0]) + each[task]
                heapq.heapreplace(free[node], end)
                last = max(last, end)
        took[number] = last - time
    return took + values()["network_ms"]


def from_searchers(
    searchers: int, came: Milliseconds, store: Milliseconds, random: np.random.Generator
) -> Milliseconds:
    """Milliseconds of whole answers. A searcher holds a slot while it waits for the store."""
    cpu, beside = worker()
    work = cpu * _spread(random, len(came))
    slots = [[0.0] * SLOTS for _ in range(searchers)]
    core = [0.0] * searchers
    took = np.empty(len(came))
    for number, time in enumerate(came.tolist()):
        one = number % searchers
        core[one] = max(time, slots[one][0], core[one]) + work[number]
        end = core[one] + store[number]
        heapq.heapreplace(slots[one], end)
        took[number] = end - time + beside
    return took


def closed(clients: int, count: int, seed: int) -> Milliseconds:
    """One worker with the embedded store and clients that ask again at once, as in the service's
    benchmark: what the simulation is checked against."""
    random = np.random.default_rng(seed)
    cpu, beside = worker()
    cpu += values()["service_search"]
    work = (cpu * _spread(random, count)).tolist()
    asked = [0.0] * clients
    core, took = 0.0, np.empty(count)
    for number in range(count):
        time = heapq.heappop(asked)
        core = max(time, core) + work[number]
        took[number] = core - time + beside
        heapq.heappush(asked, time + took[number])
    return took


def worker() -> tuple[float, float]:
    """Of a worker's answer: milliseconds that no other question can use, without the search, and
    those that others can."""
    given = values()
    busy = 1e3 / given["service_rate"]
    return busy - given["service_search"], given["service_ms"] - busy


def searchers_needed(rate: float, came: Milliseconds, store: Milliseconds, seed: int) -> int:
    """Fewest searchers with which p99 stays within `TARGET_MS` of the store's own when one of them
    is away."""
    allowed = float(np.percentile(store, 99)) + TARGET_MS
    count = max(1, math.ceil(rate / values()["service_rate"]))
    while True:
        took = from_searchers(count, came, store, np.random.default_rng(seed))
        if np.percentile(took, 99) <= allowed:
            return count + 1
        count += max(1, count // 20)


TARGET_MS = 100.0


def _spread(random: np.random.Generator, count: int) -> Milliseconds:
    """Lognormal, median 1, with the measured p99 / p50 of an answer."""
    given = values()
    sigma = math.log(given["service_p99"] / given["service_ms"]) / 2.326
    spread: Milliseconds = np.exp(sigma * random.standard_normal(count))
    return spread


def _ratios(random: np.random.Generator, count: int) -> Milliseconds:
    """Times of a graph search divided by their median, from the measured quantiles."""
    ratios: Milliseconds = np.interp(random.random(count), _STEPS, _RATIOS)
    return ratios


_RATIOS = np.array(measurements()["graphs"][PICTURES]["ratio"])
_STEPS = np.linspace(0, 1, len(_RATIOS))
