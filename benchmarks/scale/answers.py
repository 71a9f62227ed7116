"""The tables of `docs/scale.md` that are simulated, and those that check the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.scale import indexing, queueing
from benchmarks.scale.footprint import LAYOUTS, Layout
from benchmarks.scale.inputs import WORST, measurements, values
from benchmarks.scale.queueing import Cluster
from benchmarks.scale.searching import PLANS, Plan, graph_ms, scan_ms
from benchmarks.scale.text import counted, rounded, table

PATHS = (10_000, 100_000)
RATES = (10, 100, 1_000)
QUESTIONS = 1_500
BUSY = 0.8
"""Most of its cores that a node may need, its share of a lost one's work included."""
MORE_SIZES = (10**5, 10**6, 3 * 10**6, 10**7, 10**8, 10**9)


def search() -> str:
    """A scan of the cluster against the server's graphs."""
    share, rows = values()["coverage"], []
    for points in MORE_SIZES:
        scan = scan_ms(points)
        plan = next((one for one in PLANS if one.points >= points), PLANS[-1])
        cluster = Plan(points, plan.layout, plan.replicas).cluster()
        rows.append(
            (
                counted(points),
                f"{points * share:,.0f}",
                rounded(scan),
                rounded(scan / 4),
                f"{cluster.shards} x {cluster.segments}",
                f"{points * share / cluster.shards / cluster.segments:,.0f}",
                f"{cluster.segment_ms:.2f}",
                rounded(cluster.core_ms),
            )
        )
    header = ("images", "looked at", "embedded, 1 core, ms", "4 cores, at best, ms")
    server = (
        "shards x segments",
        "cluster in each",
        "ms in each",
        "server, ms of cores a question",
    )
    return table((*header, *server), rows)


def answers(seed: int) -> str:
    """Questions simulated: whole, and with one node and one searcher lost."""
    rows = [answered(plan, rate, seed) for plan in PLANS for rate in RATES]
    header = ("images", "questions/s", "nodes", "searchers", "cores busy", "store p50 / p99, ms")
    more = ("answer p50 / p99, ms", "with one of each lost, p50 / p99, ms")
    return table((*header, *more), rows)


def answered(plan: Plan, rate: int, seed: int) -> tuple[object, ...]:
    """One row: a plan asked at a rate, whole and hurt."""
    cluster = enough_nodes(plan, rate)
    random = np.random.default_rng(seed)
    came = queueing.arrivals(rate, QUESTIONS, random)
    store = queueing.from_cluster(cluster, came, random)
    searchers = queueing.searchers_needed(rate, came, store, seed)
    whole = queueing.from_searchers(searchers, came, store, random)
    hurt = "no answer" if cluster.replicas == 1 else "too few left"
    if plan.replicas > 1:
        slow = queueing.from_cluster(cluster, came, random, lost=(0,))
        hurt = _percentiles(queueing.from_searchers(searchers - 1, came, slow, random))
    busy = rate * cluster.core_ms / 1e3 / (cluster.nodes * cluster.cores)
    added = cluster.nodes - plan.machines.nodes
    nodes = f"{cluster.nodes}" + (f" ({added} for the load)" if added else "")
    return (
        counted(plan.points),
        rate,
        nodes,
        searchers,
        f"{100 * busy:.2g} %",
        _percentiles(store),
        _percentiles(whole),
        hurt,
    )


def enough_nodes(plan: Plan, rate: float) -> Cluster:
    """The plan's nodes, and more replicas on more nodes where those that take a lost node's part
    could not bear it."""
    cluster = plan.cluster()
    needed = rate * cluster.core_ms / 1e3 / BUSY / cluster.cores
    nodes = cluster.nodes
    while True:
        replicas = cluster.replicas * nodes // cluster.nodes
        if needed <= nodes * (1 - 1 / replicas if plan.replicas > 1 else 1):
            return replace(cluster, nodes=nodes, replicas=replicas)
        nodes += 1


def _percentiles(took: queueing.Milliseconds) -> str:
    p50, p99 = np.percentile(took, (50, 99))
    return f"{p50:.0f} / {p99:.0f}"


def balance() -> str:
    """Largest and smallest part of the hash that indexers use, and what one more moves."""
    rows = []
    for parts in (4, 16, 64):
        cells = []
        for paths in PATHS:
            most, least = indexing.imbalance(paths, parts)
            cells.append(f"{100 * (most - 1):+.1f} % / {100 * (least - 1):+.1f} %")
        share = indexing.moved(PATHS[0], parts)
        rows.append((parts, *cells, f"{100 * share:.1f} % ({100 / (parts + 1):.1f} %)"))
    header = ("indexers", *(f"{paths:,} paths: largest / smallest" for paths in PATHS))
    return table((*header, "moved by one more (must move)"), rows)


def checks(seed: int) -> str:
    """The model where something else is known."""
    laion = Layout("LAION", 1, in_memory=False, m=6, payload_m=0)
    parts = laion.parts()
    data = sum(parts[name][0] for name in ("quantized", "graph", "ids"))
    numeric = data - values()["ids"] + 31  # numeric ids, as the tutorial counts them
    rule = 512 * 2 * values()["rule"]
    plain = LAYOUTS[0].parts()
    bare = sum(plain[name][0] for name in ("vectors, Float16", "graph", "ids"))
    graph = measurements()["graphs"][WORST]
    rows = [
        (
            "memory of 400 million vectors, 1 bit, m = 6",
            f"{400e6 * numeric / 2**30:.1f} GiB",
            "53.8 GiB, Qdrant's LAION-400M tutorial",
        ),
        (
            "memory of a point, Float16, without payload and its indexes",
            f"{bare:,.0f} bytes",
            f"{rule:,.0f}, Qdrant's rule of thumb, which leaves room",
        ),
        (
            "graphs built on 8 cores, points/s",
            rounded(8e6 / indexing.graph_core_us(5e6)),
            "4,000, the same tutorial (m = 6, no tenants, writing at the same time)",
        ),
        (
            f"building a graph of {graph['points']:,} random vectors, core-s",
            rounded(graph["points"] * indexing.graph_core_us(graph["points"]) / 1e6),
            f"{rounded(graph['points'] * graph['build_core_us'] / 1e6)}, measured",
        ),
        (
            "graph on disk, bytes a point",
            f"{LAYOUTS[0].parts()['graph'][1]:.0f}",
            f"{values()['graph_bytes']:.0f}, measured: links are kept compressed",
        ),
    ]
    among = graph["cluster_points"]
    rows.append(
        (
            f"graph search among {among:,.0f} points, ms",
            f"{graph_ms(among):.1f}",
            f"{graph['search_ms']:.1f}, measured with random vectors, the worst",
        )
    )
    known = {1: "13.2 / 23", 8: "88 to 101 / 148", 64: "877 / 1,016"}
    for clients, measured in known.items():
        took = queueing.closed(clients, 10_000, seed)[clients:]
        rows.append(
            (
                f"a worker asked by {clients} at a time, p50 / p99, ms",
                _percentiles(took),
                f"{measured}, docs/service.md",
            )
        )
    return table(("what", "model", "known"), rows)
