"""What one question costs the store: a scan of the cluster, or its graph in every segment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.scale.footprint import LAYOUTS, Layout, Machines, machines
from benchmarks.scale.inputs import measurements, values
from benchmarks.scale.queueing import Cluster
from shared.store.server.queries import OVERSAMPLING

BEARABLE_MS = 50.0
"""What a scan may take in the middle before a graph is due."""
TOP = 12
SEGMENT_MS = 0.05
"""What looking into a segment takes at least."""
FULL_SCAN_POINTS = 10_000
"""Qdrant's `full_scan_threshold`, 10,000 KB, in Float16 vectors of 512: fewer are scanned."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A number of images and how it is kept."""

    points: int
    layout: Layout
    replicas: int

    @property
    def machines(self) -> Machines:
        """Its nodes and shards."""
        return machines(self.points, self.layout, self.replicas)

    @property
    def segments(self) -> int:
        """Segments of one shard."""
        given = values()
        largest = given["segment_kb"] * given["node_cores"] * 1024 / (2 * 512)
        wanted = self.points / self.machines.shards / largest
        return max(int(given["segments"]), math.ceil(wanted))

    @property
    def segment_points(self) -> float:
        """Points of a segment."""
        return self.points / self.machines.shards / self.segments

    def cluster(self) -> Cluster:
        """What the simulation asks."""
        needed, cores = self.machines, int(values()["node_cores"])
        ms = segment_ms(self.segment_points * values()["coverage"], self.layout)
        return Cluster(needed.nodes, needed.shards, self.replicas, self.segments, ms, cores)


PLANS = (
    Plan(10**6, LAYOUTS[0], 1),
    Plan(10**7, LAYOUTS[0], 3),
    Plan(10**8, LAYOUTS[2], 3),
    Plan(10**9, LAYOUTS[2], 3),
)


def scan_ms(points: float) -> float:
    """The embedded store, one core: its segments' fixed part and the vectors of the question's
    clusters both grow with the collection."""
    given, measured = values(), float(measurements()["embedded"]["points"])
    fixed = given["scan_fixed_ms"] * max(1.0, points / measured)
    return fixed + given["scan_us"] * given["coverage"] * points / 1e6


def scan_limit() -> float:
    """Images whose clusters are scanned in `BEARABLE_MS` on one core."""
    return BEARABLE_MS / scan_ms(1e9) * 1e9


def segment_ms(cluster_points: float, layout: Layout) -> float:
    """One segment of a server, in milliseconds of a core or of waiting for the disk: a scan of few
    points, else the graph; then what is looked at again in Float16."""
    rescored = TOP * OVERSAMPLING * values()["read_ms"] if not layout.in_memory else 0.0
    if cluster_points <= FULL_SCAN_POINTS:
        return SEGMENT_MS + values()["scan_us"] * cluster_points / 1e6 + rescored
    return graph_ms(cluster_points) + rescored


def graph_ms(cluster_points: float) -> float:
    """The measured search in a graph of pictures' vectors. It grows with the logarithm of the
    points as it was measured with random ones, whose graphs grow most."""
    given = values()
    return given["graph_ms"] * _random_ms(cluster_points) / _random_ms(given["graph_cluster"])


def _random_ms(cluster_points: float) -> float:
    graphs = measurements()["graphs"]
    found = [graphs[f"random-{count}"] for count in (10_000, 20_000, 40_000)]
    points = np.log2([one["cluster_points"] for one in found])
    slope, offset = np.polyfit(points, [one["search_ms"] for one in found], 1)
    return float(offset + slope * math.log2(cluster_points))
