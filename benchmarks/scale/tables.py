"""The tables of `docs/scale.md` about memory, disk, nodes, indexing and upkeep."""

from __future__ import annotations

from benchmarks.scale import indexing
from benchmarks.scale.footprint import LAYOUTS, SIZES, machines
from benchmarks.scale.inputs import load, values
from benchmarks.scale.searching import PLANS
from benchmarks.scale.text import counted, rounded, size, span, table

HOUR = 3_600.0
FLOAT32 = 4 * 512
INDEXERS = (1, 1, 4, 16)
"""As many as list what is theirs in the memory of a small machine."""


def inputs() -> str:
    """Every input and its source."""
    rows = [
        (one.what, f"{rounded(one.value)} {one.unit}".strip(), one.kind, one.source)
        for one in load().values()
    ]
    return table(("figure", "value", "kind", "source"), rows)


def layouts() -> str:
    """Bytes a point and replica."""
    names = list(LAYOUTS[0].parts())
    rows = []
    for name in names:
        cells = [_cell(*layout.parts()[name]) for layout in LAYOUTS]
        rows.append((name, *cells))
    rows.append(("**together**", *(f"**{_cell(one.memory, one.disk)}**" for one in LAYOUTS)))
    return table(("bytes an image: memory / disk", *(one.name for one in LAYOUTS)), rows)


def _cell(memory: float, disk: float) -> str:
    return f"{memory:,.0f} / {disk:,.0f}"


def nodes() -> str:
    """Memory, disk, nodes and shards for every size."""
    rows = []
    for points in SIZES:
        for layout in LAYOUTS:
            one, three = (machines(points, layout, replicas) for replicas in (1, 3))
            rows.append(
                (
                    counted(points),
                    layout.name,
                    size(one.memory),
                    size(points * layout.disk * values()["headroom"]),
                    one.nodes,
                    size(three.memory),
                    size(three.disk),
                    f"{three.nodes} ({three.by})",
                    three.shards,
                )
            )
    header = ("images", "layout", "memory", "disk", "nodes")
    three_header = ("memory x 3", "disk x 3, all told", "nodes x 3", "shards")
    return table((*header, *three_header), rows)


def first_indexing() -> str:
    """Core-hours, days and network of the first indexing."""
    given, rows = values(), []
    cores = given["node_cores"]
    for plan in PLANS:
        for name, ms, file in (
            ("512 x 512", given["small_ms"], given["small_bytes"]),
            ("12.8 megapixels", given["large_ms"], given["large_bytes"]),
        ):
            rate = indexing.images_per_second(ms, cores)
            most = indexing.absorbed_per_second(plan.machines.nodes * cores, plan.replicas)
            rows.append(
                (
                    counted(plan.points),
                    name,
                    f"{rounded(plan.points * indexing.core_ms(ms) / 1e3 / HOUR)}",
                    *(_taken(plan.points, rate * n, most) for n in (1, 4, 16, 64)),
                    f"{rounded(rate)}/s, {rounded(rate * file * 8 / 1e9)} Gbit/s",
                )
            )
    header = ("images", "pictures", "core-hours", "1 indexer", "4", "16", "64", "each reads")
    return table(header, rows)


def _taken(points: int, rate: float, most: float) -> str:
    """How long at a rate, or a star where Qdrant is the slower one."""
    return span(points / min(rate, most)) + (" *" if rate > most else "")


def cost() -> str:
    """What has to be there and what is spent, without money."""
    given, rows = values(), []
    cores = given["node_cores"]
    for plan in PLANS:
        needed = plan.machines
        graph = indexing.graph_core_hours(plan.points, plan.segment_points, plan.replicas)
        small, large = (
            plan.points * indexing.core_ms(given[name]) / 1e3 / HOUR
            for name in ("small_ms", "large_ms")
        )
        rows.append(
            (
                counted(plan.points),
                plan.layout.name,
                plan.replicas,
                f"{needed.nodes} x {cores:.0f} = {needed.nodes * cores:.0f}",
                size(needed.memory),
                size(needed.disk),
                f"{rounded(small)} to {rounded(large)}",
                rounded(graph),
            )
        )
    header = ("images", "layout", "replicas", "nodes x cores", "memory", "disk")
    return table((*header, "indexers, core-hours", "graphs, core-hours"), rows)


def upkeep() -> str:
    """What grows with every image beside the store."""
    given, rows = values(), []
    for points, indexers in zip(SIZES, INDEXERS, strict=True):
        part = points / indexers
        rows.append(
            (
                counted(points),
                span(indexing.listing_seconds(points)),
                f"{indexers}: {span(indexing.listing_seconds(points, indexers))}",
                size(part * given["listing_bytes"]),
                size(part * given["journal"]),
                f"{points / given['folder_files']:,.0f}",
                span(points * given["relabel_us"] / 1e6) if points <= 10**7 else "-",
                span(2 * points / given["wire_rate"]),
                size(points * FLOAT32 * 2),
            )
        )
    header = ("images", "listing, one indexer", "several: each lists", "memory for that")
    more = ("journal of each", "folders to watch", "relabel, embedded", "relabel, server")
    return table((*header, *more, "`recluster`, memory"), rows)


def network() -> str:
    """Bytes on the wire for a question and for an image."""
    given = values()
    answer = 12 * given["payload"]
    rows = [
        ("a question to Qdrant, gRPC", size(512 * 4)),
        ("a question to Qdrant, REST", size(512 * 11)),
        ("its answer, twelve payloads", size(answer)),
        (
            "1,000 questions a second, REST",
            f"{rounded(1_000 * (512 * 11 + answer) * 8 / 1e9)} Gbit/s",
        ),
        ("an image to three replicas", size(3 * (512 * 4 + given["payload"]) + 512 * 11)),
        (
            "1,000 images of 12.8 megapixels read a second",
            f"{rounded(1_000 * given['large_bytes'] * 8 / 1e9)} Gbit/s",
        ),
        ("moving one node's replicas to a new node, 100 million images", _moving()),
    ]
    return table(("what", "size"), rows)


def _moving() -> str:
    plan = PLANS[2]
    each = plan.points * plan.layout.disk * plan.replicas / plan.machines.nodes
    return f"{size(each)}, {span(each * 8 / 10e9)} at 10 Gbit/s"
