"""Every figure that the model starts from, each with where it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MEASURED = Path(__file__).with_name("measured.json")
"""What `python -m benchmarks.scale --measure` found."""

Kind = Literal["measured", "earlier", "project", "Qdrant", "Linux", "assumed"]
"""measured: by `--measure`. earlier: measured while Lookalike was designed, not repeated here.
project: in another document or file of this repository. Qdrant, Linux: said by their documentation
or source. assumed: a round figure to be replaced by the reader's own."""

PICTURES, WORST = "real-40000", "random-40000"
"""Graphs of pictures' vectors, and of random ones, which are the hardest to build and search."""

_TUTORIAL = "qdrant.tech/documentation/tutorials-operations/large-scale-search"
_SIZING = "github.com/qdrant/skills, qdrant-sizing"
_OPTIMIZER = "github.com/qdrant/qdrant, lib/shard/src/optimizers/config.rs"


@dataclass(frozen=True, slots=True)
class Input:
    """One figure."""

    what: str
    value: float
    unit: str
    kind: Kind
    source: str


def measurements() -> dict[str, Any]:
    """The short measurements as they were kept."""
    found: dict[str, Any] = json.loads(MEASURED.read_text())
    return found


def _from_measurements(raw: dict[str, Any]) -> dict[str, Input]:
    embedded, graph = raw["embedded"], raw["graphs"][PICTURES]
    small, large = raw["decoding"]["512"], raw["decoding"]["3584"]
    rows, files = f"{raw['journal']['rows']:,} rows", f"{raw['listing']['files']:,} files"
    filled = f"embedded store, {embedded['points']:,} points"
    built = f"one segment of {graph['points']:,} vectors of pictures, Qdrant Edge"
    table: dict[str, tuple[str, float, str, str]] = {
        "payload": ("payload as JSON", raw["payload_bytes"], "bytes", "one record"),
        "payload_index": (
            "payload indexes (`cluster`, `root`, `folders`)",
            embedded["disk"]["payload_index"],
            "bytes/image",
            filled,
        ),
        "journal": ("journal on disk", raw["journal"]["bytes"], "bytes/image", rows),
        "journal_us": ("journal: owe and finish", raw["journal"]["core_us"], "µs", rows),
        "listing_us": ("listing", raw["listing"]["core_us"], "µs/file", files),
        "foreign_us": (
            "passing over another indexer's file",
            raw["listing"]["foreign_core_us"],
            "µs/file",
            files,
        ),
        "compare_us": ("reading the journal to compare", raw["compared_core_us"], "µs/file", rows),
        "listing_bytes": ("memory of a listing", raw["listing"]["bytes"], "bytes/file", files),
        "small_ms": (
            "decoding 512 x 512",
            small["core_ms"],
            "ms",
            "JPEG, with reading and hashing",
        ),
        "small_bytes": ("such a file", small["bytes"], "bytes", "mosaics of photographs"),
        "large_ms": ("decoding 12.8 megapixels", large["core_ms"], "ms", "JPEG, likewise"),
        "large_bytes": ("such a file", large["bytes"], "bytes", "mosaics of photographs"),
        "predict_us": ("naming a cluster", raw["predict_core_us"], "µs", f"k = {raw['k']}"),
        "fill_us": ("writing, merged", embedded["fill_core_us"], "µs/image", filled),
        "load_us": ("loading", embedded["load_us"], "µs/image", filled),
        "scan_fixed_ms": ("scan of a cluster: fixed part", embedded["scan_fixed_ms"], "ms", filled),
        "scan_us": (
            "scan of a cluster: for 1,000 points",
            embedded["scan_us_per_1000"],
            "µs",
            filled,
        ),
        "embedded_disk": (
            "embedded store on disk",
            sum(embedded["disk"].values()),
            "bytes/image",
            filled,
        ),
        "relabel_us": ("relabelling, both passes", raw["relabel_core_us"], "µs/image", filled),
        "graph_ms": ("graph search in a cluster", graph["search_ms"], "ms", built),
        "graph_cluster": ("points of that cluster, on average", graph["cluster_points"], "", built),
        "graph_us": ("building the graph", graph["build_core_us"], "µs/image", built),
        "graph_bytes": ("graph on disk", graph["disk"]["vector_index"], "bytes/image", built),
        "worst_ms": (
            "the same with random vectors",
            raw["graphs"][WORST]["search_ms"],
            "ms",
            f"{raw['graphs'][WORST]['cluster_points']:,.0f} points in the cluster",
        ),
        "graph_recall": ("recall of the top 12 in the cluster", graph["recall"], "", built),
        "examined": ("memory of `indexer doctor`", raw["examined_bytes"], "bytes/image", rows),
    }
    return {
        name: Input(what, value, unit, "measured", source)
        for name, (what, value, unit, source) in table.items()
    }


_TOLD: dict[str, Input] = {
    "built_us": Input(
        "building a graph, of one thread, at 200,000 random vectors",
        275 / 0.2,
        "µs/image",
        "earlier",
        "Qdrant Edge 0.9",
    ),
    "fit_us": Input(
        "Mini-Batch K-Means", 1e6 / 120_000, "µs/image", "project", "indexer/training/kmeans.py"
    ),
    "encode_ms": Input("encoding", 1000 / 1_050, "ms", "project", "docs/encoder.md, bake-off"),
    "coverage": Input(
        "share of the collection that a question looks at", 0.234, "", "project", "docs/probes.md"
    ),
    "service_ms": Input(
        "answer of one worker to one client, p50", 13.2, "ms", "project", "docs/service.md"
    ),
    "service_p99": Input("p99 of it", 23.0, "ms", "project", "docs/service.md"),
    "service_search": Input("the search's part of it", 2.7, "ms", "project", "docs/service.md"),
    "service_rate": Input(
        "answers of a worker on two cores, eight clients (78 to 88)",
        83,
        "1/s",
        "project",
        "docs/service.md",
    ),
    "rescan": Input("a listing every", 600, "s", "project", "shared/settings.py"),
    "stall": Input("longest merge", 0.33, "s", "project", "docs/decisions/0005"),
    "link": Input("a link of the graph", 4, "bytes", "Qdrant", _TUTORIAL),
    "ids": Input(
        "UUID there, back, and version: 16 + 20 + 4", 40, "bytes/image", "Qdrant", _TUTORIAL
    ),
    "payload_factor": Input(
        "payload on disk, for its bytes as JSON",
        1.5,
        "",
        "Qdrant",
        "qdrant.tech/documentation/capacity-planning",
    ),
    "rule": Input(
        "rule of thumb: vectors in memory, times",
        1.5,
        "",
        "Qdrant",
        "qdrant.tech/documentation/capacity-planning",
    ),
    "headroom": Input("headroom, memory and disk, times", 1.2, "", "Qdrant", _SIZING),
    "shards_per_node": Input("shards for each node, at least", 2, "", "Qdrant", _SIZING),
    "node_points": Input("points one node tops out at, about", 1e8, "", "Qdrant", _SIZING),
    "segments": Input("segments of a shard on 16 cores", 8, "", "Qdrant", _OPTIMIZER),
    "segment_kb": Input(
        "largest segment: KB for each indexing thread", 256_000, "", "Qdrant", _OPTIMIZER
    ),
    "indexed_rate": Input(
        "points that a core takes in and indexes, 4,000 on 8", 500, "1/s", "Qdrant", _TUTORIAL
    ),
    "wal": Input(
        "one file of a shard's log",
        32,
        "MB",
        "Qdrant",
        "github.com/qdrant/qdrant, config/config.yaml",
    ),
    "watches": Input(
        "inotify watches, the default's upper limit",
        1_048_576,
        "folders",
        "Linux",
        "commit 92890123749b",
    ),
    "watch_bytes": Input("memory of a watch, about", 1_080, "bytes", "Linux", "the same, 64 bits"),
    "folder_files": Input("files in a folder", 1_000, "", "assumed", ""),
    "node_cores": Input("a node: cores", 16, "", "assumed", ""),
    "node_memory": Input("a node: memory", 64, "GB", "assumed", ""),
    "node_disk": Input("a node: disk", 2_000, "GB", "assumed", ""),
    "network_ms": Input(
        "searcher to Qdrant, node to node and back, together", 1.0, "ms", "assumed", ""
    ),
    "read_ms": Input("reading a vector from a local SSD", 0.1, "ms", "assumed", ""),
    "rebuilds": Input("times a point's graph is built as segments merge", 2, "", "assumed", ""),
    "wire_rate": Input(
        "points a second that one leader reads and relabels on a server",
        5_000,
        "1/s",
        "assumed",
        "",
    ),
}


def load() -> dict[str, Input]:
    """Every input by name, those of `measured.json` first."""
    return _from_measurements(measurements()) | _TOLD


def values() -> dict[str, float]:
    """The figures alone."""
    return {name: one.value for name, one in load().items()}
