"""The tables of `docs/scale.md` that decide: what to use, and what gives way first."""

from __future__ import annotations

from benchmarks.scale import indexing
from benchmarks.scale.footprint import LAYOUTS, machines
from benchmarks.scale.inputs import values
from benchmarks.scale.searching import PLANS, scan_limit, scan_ms, segment_ms
from benchmarks.scale.text import counted, rounded, size, span, table

COMFORTABLE = 10**6
"""Images up to which the embedded store is the answer: loading and copying take seconds, and a
question about half of `BEARABLE_MS`."""
SMALLEST_WATCHES = 8_192
"""The kernel's limit on machines of little memory."""


def decide() -> str:
    """You have so many images: use this."""
    given, few = values(), 100_000
    comfortable, limit = counted(COMFORTABLE), counted(_round(scan_limit()))
    rows = [
        (
            f"up to {comfortable}",
            "the embedded store: one machine, one process that owns it",
            f"{size(COMFORTABLE * given['embedded_disk'])} of disk; a question's scan takes one "
            f"core {scan_ms(few):.1f} ms at {few:,} and {scan_ms(COMFORTABLE):.0f} ms at "
            f"{comfortable}; writing takes {span(COMFORTABLE * given['fill_us'] / 1e6)} in all, "
            f"a start {span(COMFORTABLE * given['load_us'] / 1e6)}",
        ),
        (
            f"to {limit}",
            "embedded still answers; one Qdrant node if many ask or it must not stop",
            f"the scan reaches 50 ms at {limit}; one process serves everybody, and a merge stalls "
            f"it for up to {given['stall']:.2f} s",
        ),
        ("to 10 million", "one Qdrant node; three where it must not stop", _needs(1)),
        (
            "to 100 million",
            'a cluster, `qdrant_quantization = "int8"`, `qdrant_storage = "disk"`',
            _needs(2),
        ),
        (
            "to 1 billion",
            "the same, larger; 1 bit by hand where memory counts more than recall",
            f"{_needs(3)}; try a tenth of it first",
        ),
    ]
    return table(("images", "use", "because"), rows)


def _needs(number: int) -> str:
    plan = PLANS[number]
    needed = plan.machines
    return (
        f"three replicas: {needed.nodes} nodes, {size(needed.memory)} of memory, "
        f"{size(needed.disk)} of disk, {rounded(plan.cluster().core_ms)} ms of cores a question"
    )


def _round(points: float) -> float:
    return float(f"{points:.1g}")


def gives_way() -> str:
    """What breaks first, from small to large."""
    found = sorted((*_of_one_machine(), *_of_many()))
    rows = [(f"{counted(_round(points))}", *texts) for points, *texts in found]
    return table(("at about", "what gives way", "remedy"), rows)


def _of_one_machine() -> list[tuple[float, str, str]]:
    given = values()
    node = given["node_memory"] * 1e9
    examined = given["listing_bytes"] + given["examined"]
    migrated = segment_ms(50_000, LAYOUTS[0])
    disk = LAYOUTS[2].memory / LAYOUTS[0].memory
    return [
        (
            scan_limit(),
            "the embedded store: a scan of 50 ms, and one process for everybody",
            f"`indexer migrate`; a graph takes {migrated:.1f} ms among 50,000 points of a segment",
        ),
        (
            node / 2 / (4 * 512 * 2),
            "`indexer recluster` and `train`: every vector in Float32, twice for a moment, 4 KB an "
            "image; half of a node here",
            "memory for the leader. The fit itself takes "
            f"{span(1e7 * given['fit_us'] / 1e6)} for 10 million; on a sample it is not built",
        ),
        (
            node / 4 / examined,
            f"`indexer doctor`: {size(examined)} an image for listing and journal, a quarter of a "
            "node here; and it reads every point",
            "`--partition`: listing and journal are those of the own part",
        ),
        (
            node / given["headroom"] / LAYOUTS[0].memory,
            "one node: vectors, graph and payload no longer fit in its memory",
            f"int8 with the rest on disk, {100 * disk:.0f} % of the memory; then more nodes",
        ),
        (
            SMALLEST_WATCHES * given["folder_files"],
            f"watches where the kernel allows {SMALLEST_WATCHES:,}, one a folder",
            "`fs.inotify.max_user_watches`; what is not watched is listed",
        ),
        (
            given["watches"] * given["folder_files"],
            f"watches where it allows {given['watches']:,.0f}, "
            f"{size(given['watches'] * given['watch_bytes'])} of kernel memory",
            "several roots on several indexers: with `--partition` each watches all",
        ),
    ]


def _of_many() -> list[tuple[float, str, str]]:
    given = values()
    large, huge = (plan.cluster() for plan in PLANS[2:])
    second = machines(10**8, PLANS[2].layout, 3)
    return [
        (
            indexing.upkeep_files(),
            f"one indexer's listing: more than half of the {given['rescan']:.0f} s between two",
            "a longer `rescan_seconds` (events arrive at once all the same), or several roots on "
            "several indexers: `--partition` still walks through everything",
        ),
        (
            1e8,
            f"the leader's relabelling: {span(2e8 / given['wire_rate'])} for both passes; "
            "searches go on",
            "recluster only when `indexer status` says that the clusters have drifted",
        ),
        (
            1e8,
            f"a new encoder: a second collection of {size(second.disk / 3)} and as much memory "
            "again, until the old one is dropped",
            "the tables count its disk; nodes for its memory can be added for the time being",
        ),
        (
            1e9,
            f"{large.shards * large.segments} segments at 100 million, "
            f"{huge.shards * huge.segments} at a billion, each searched for every question",
            "fewer and larger ones by hand (`default_segment_number`, `max_segment_size`)",
        ),
    ]
