"""What a point takes in memory and on disk, by how Qdrant is told to keep it, and how many nodes
that makes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.scale.inputs import values

SIZE = 512
M = PAYLOAD_M = 16
GB = 1e9
SIZES = (10**6, 10**7, 10**8, 10**9)


@dataclass(frozen=True, slots=True)
class Layout:
    """How Qdrant keeps vectors. `bits`: of a quantized component, 0 for none. `in_memory`: whether
    the Float16 vectors and the payload lie there too (`qdrant_storage`)."""

    name: str
    bits: int
    in_memory: bool
    m: int = M
    payload_m: int = PAYLOAD_M

    def parts(self) -> dict[str, tuple[float, float]]:
        """Bytes a point and replica, (memory, disk), by what they hold."""
        given = values()
        vectors = SIZE * 2.0
        quantized = SIZE * self.bits / 8
        links = 2 * (self.m + self.payload_m) * given["link"]
        payload = given["payload"] * given["payload_factor"]
        return {
            "vectors, Float16": (vectors if self.in_memory else 0.0, vectors),
            "quantized": (quantized, quantized),
            "graph": (links, links),
            "ids": (given["ids"], given["ids"]),
            "payload indexes": (given["payload_index"], given["payload_index"]),
            "payload": (payload if self.in_memory else 0.0, payload),
        }

    @property
    def memory(self) -> float:
        """Bytes a point and replica that should be in memory, without headroom."""
        return sum(memory for memory, _ in self.parts().values())

    @property
    def disk(self) -> float:
        """Bytes a point and replica on disk, without headroom, log or snapshots."""
        return sum(disk for _, disk in self.parts().values())


LAYOUTS = (
    Layout("memory", 0, in_memory=True),
    Layout("memory + int8", 8, in_memory=True),
    Layout("disk + int8", 8, in_memory=False),
    Layout("disk + 1 bit", 1, in_memory=False),
)


@dataclass(frozen=True, slots=True)
class Machines:
    """What a collection needs. Points, and bytes of memory and of disk with headroom and logs, are
    those of all replicas."""

    points: int
    memory: float
    disk: float
    nodes: int
    shards: int

    @property
    def by(self) -> str:
        """What the number of nodes comes from."""
        given = values()
        for name, need, one in (
            ("memory", self.memory, given["node_memory"] * GB),
            ("disk", self.disk, given["node_disk"] * GB),
            ("points", self.points, given["node_points"]),
        ):
            if self.nodes == math.ceil(need / one):
                return name
        return "replicas"


def machines(points: int, layout: Layout, replicas: int) -> Machines:
    """Nodes of the stated size for a number of points; at least one for each replica.

    On disk lie the collection, its snapshot, and while an encoder is replaced a second collection.
    """
    given = values()
    memory = points * layout.memory * replicas * given["headroom"]
    collection = points * layout.disk * replicas * given["headroom"]
    many = math.ceil(points * replicas / given["node_points"])
    nodes = max(replicas, many, math.ceil(memory / GB / given["node_memory"]))
    while True:
        shards = shard_number(nodes, replicas)
        disk = 3 * collection + 2 * shards * replicas * given["wal"] * 1e6
        needed = math.ceil(disk / GB / given["node_disk"])
        if needed <= nodes:
            return Machines(points * replicas, memory, disk, nodes, shards)
        nodes = needed


def shard_number(nodes: int, replicas: int) -> int:
    """Shards of a collection: every node has its part, and one that comes later finds something to
    take over. Six for three nodes, as `compose.cluster.yml` has it."""
    if nodes == 1:
        return 1
    return max(6, math.ceil(values()["shards_per_node"] * nodes / replicas))
