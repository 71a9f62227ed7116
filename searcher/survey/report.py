"""The clusters as JSON, and as a table for people."""

from __future__ import annotations

from typing import Any

from searcher.render import share
from searcher.survey.clusters import Cluster, Survey
from shared.report import escape

_SHARE_DIGITS = 4
_DISTANCE_DIGITS = 4


def clusters_json(found: Survey) -> dict[str, Any]:
    """The survey as JSON values, largest cluster first; `spread` is None for an empty one."""
    return {
        "encoder": found.encoder,
        "generation": found.generation,
        "total": found.total,
        "unlabelled": found.unlabelled,
        "clusters": [_cluster_json(cluster) for cluster in found.clusters],
    }


def _cluster_json(cluster: Cluster) -> dict[str, Any]:
    spread = cluster.spread
    return {
        "label": cluster.label,
        "size": cluster.size,
        "share": round(cluster.share, _SHARE_DIGITS),
        "spread": None
        if spread is None
        else {
            "mean": round(spread.mean, _DISTANCE_DIGITS),
            "p95": round(spread.p95, _DISTANCE_DIGITS),
        },
        "samples": [
            {
                "root": sample.record.root,
                "path": sample.record.path,
                "id": sample.record.id,
                "distance": round(sample.distance, _DISTANCE_DIGITS),
            }
            for sample in cluster.samples
        ],
    }


def headline(found: Survey) -> str:
    """``2,527 pictures in 5 clusters of generation g1``."""
    pictures = "picture" if found.total == 1 else "pictures"
    clusters = "cluster" if len(found.clusters) == 1 else "clusters"
    line = (
        f"{found.total:,} {pictures} in {len(found.clusters)} {clusters} "
        f"of generation {found.generation}"
    )
    return line + (f" · {found.unlabelled:,} not yet labelled" if found.unlabelled else "")


def facts(cluster: Cluster, total: int) -> str:
    """``666 pictures (26%) · distance to the centroid 0.88, 95% within 0.97``."""
    pictures = "picture" if cluster.size == 1 else "pictures"
    line = f"{cluster.size:,} {pictures} ({share(cluster.size, total)})"
    if cluster.spread is None:
        return line
    spread = cluster.spread
    return f"{line} · distance to the centroid {spread.mean:.2f}, 95% within {spread.p95:.2f}"


def clusters_table(found: Survey) -> str:
    """One line a cluster, its most typical pictures below it; each names its root if several do."""
    rows = [
        ["cluster", "pictures", "share", "mean", "95%"],
        *(_row(c, found) for c in found.clusters),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    roots = {sample.record.root for cluster in found.clusters for sample in cluster.samples}
    shown = [headline(found)]
    if len(roots) == 1:
        shown.append(f"in {escape(min(roots))}")
    shown.append(lines[0])
    for cluster, line in zip(found.clusters, lines[1:], strict=True):
        shown.append(line)
        for sample in cluster.samples:
            root = f"{sample.record.root}  " if len(roots) > 1 else ""
            shown.append(f"    {sample.distance:.2f}  {escape(root + sample.record.path)}")
    shown.append("mean, 95%: distance to the centroid; below each cluster, its nearest pictures")
    return "\n".join(shown) + "\n"


def _row(cluster: Cluster, found: Survey) -> list[str]:
    spread = cluster.spread
    distances = ["", ""] if spread is None else [f"{spread.mean:.2f}", f"{spread.p95:.2f}"]
    return [cluster.label, f"{cluster.size:,}", share(cluster.size, found.total), *distances]
