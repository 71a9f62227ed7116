"""What `searcher eval` found out, as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searcher.quality.folder_queries import Refused
from searcher.query.options import Probes
from searcher.render import share
from shared.report import escape
from shared.types import shown_path

DEPTH = 100
"""Results that average precision looks at."""

_SHARE_DIGITS = 4
_MILLISECOND_DIGITS = 2
_SHOWN_REFUSALS = 5
_FLOOR_NAMES = {"pca_512": "PCA, 512 components", "color_histogram": "colour histogram"}


@dataclass(frozen=True, slots=True)
class Quality:
    """P@k and mAP@100, means over the queries whose label another indexed image has."""

    precision: float
    average_precision: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds a query, median and 99th percentile."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Probing:
    """A way to search: the nearest `probes` clusters, as many as the calibration says, or *all*.

    `recall`: recall@k against *all*, and `expected`, what the calibration says of it (None: not
    calibrated). `coverage`: share of the collection that was searched. `latency`: of the search
    alone. `quality` is None without labels.
    """

    probes: Probes
    recall: float
    expected: float | None
    coverage: float
    latency: Latency
    quality: Quality | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a collection answers `queries` queries with k results each.

    `own`: queries that are indexed themselves. `labelled`: those that count in P@k and mAP. `took`:
    latency of decode, encode and search (in one cluster) over `timed` queries that were asked one
    at a time. `floors`: quality of PCA and colour histogram over the whole collection, None if not
    measured.
    """

    queries: int
    total: int
    own: int
    k: int
    labelled: int
    timed: int
    took: Mapping[str, Latency]
    probings: tuple[Probing, ...]
    floors: Mapping[str, Quality] | None
    refused: tuple[Refused, ...]

    @property
    def quality(self) -> Quality | None:
        """That of the whole collection, by which encoders are compared."""
        return self.probings[-1].quality


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON values; names follow k (``p_at_10``), shares lie in [0, 1]."""
    return {
        "queries": found.queries,
        "total": found.total,
        "k": found.k,
        "labelled": found.labelled,
        "labels": _quality_json(found.quality, found.k) if found.quality else None,
        "floors": {name: _quality_json(floor, found.k) for name, floor in found.floors.items()}
        if found.floors
        else None,
        "probes": [_probing_json(probing, found.k) for probing in found.probings],
        "timed": found.timed,
        "took_ms": {stage: _latency_json(latency) for stage, latency in found.took.items()},
        "refused": len(found.refused),
    }


def _probing_json(probing: Probing, k: int) -> dict[str, Any]:
    quality = probing.quality
    nothing = {f"p_at_{k}": None, f"map_at_{DEPTH}": None}
    return {
        "probes": probing.probes,
        f"recall_at_{k}": round(probing.recall, _SHARE_DIGITS),
        "expected_recall": None
        if probing.expected is None
        else round(probing.expected, _SHARE_DIGITS),
        "coverage": round(probing.coverage, _SHARE_DIGITS),
        "ms_p50": round(probing.latency.p50, _MILLISECOND_DIGITS),
        "ms_p99": round(probing.latency.p99, _MILLISECOND_DIGITS),
        **(_quality_json(quality, k) if quality else nothing),
    }


def _quality_json(quality: Quality, k: int) -> dict[str, float]:
    return {
        f"p_at_{k}": round(quality.precision, _SHARE_DIGITS),
        f"map_at_{DEPTH}": round(quality.average_precision, _SHARE_DIGITS),
    }


def _latency_json(latency: Latency) -> dict[str, float]:
    return {
        "p50": round(latency.p50, _MILLISECOND_DIGITS),
        "p99": round(latency.p99, _MILLISECOND_DIGITS),
    }


def evaluation_table(shown: str, found: Evaluation) -> str:
    """The evaluation for people; `shown` names the folder that was asked with."""
    lines = [
        f"{escape(shown)} · {_queries(found.queries)} · {found.total:,} indexed · "
        f"{found.own:,} of the queries among them, each left out of its own answers",
        "",
        *_columns(_search_cells(found)),
    ]
    if found.quality:
        lines += ["", *_columns(_quality_cells(found)), f"{_queries(found.labelled)} with a label"]
    stages = " · ".join(
        f"{stage} {latency.p50:.1f} ({latency.p99:.1f})" for stage, latency in found.took.items()
    )
    lines += ["", f"ms a query, median (p99) of {found.timed:,}: {stages}"]
    return "\n".join([*lines, *refusals(found.refused)]) + "\n"


def refusals(refused: Sequence[Refused]) -> list[str]:
    """A line for each of the first few refused files, and how many there are."""
    if not refused:
        return []
    lines = [f"  {escape(shown_path(one.path))}: {escape(one.reason)}" for one in refused]
    more = len(lines) - _SHOWN_REFUSALS
    rest = [f"  and {more:,} more"] if more > 0 else []
    return [f"{len(lines):,} refused:", *lines[:_SHOWN_REFUSALS], *rest]


def _search_cells(found: Evaluation) -> list[list[str]]:
    head = ["probes", f"recall@{found.k}", "expected", "coverage", "ms p50", "ms p99"]
    return [head, *(_search_row(found, probing) for probing in found.probings)]


def _search_row(found: Evaluation, probing: Probing) -> list[str]:
    return [
        str(probing.probes),
        f"{probing.recall:.3f}",
        "" if probing.expected is None else f"{probing.expected:.3f}",
        share(round(probing.coverage * found.total), found.total),
        f"{probing.latency.p50:.1f}",
        f"{probing.latency.p99:.1f}",
    ]


def _quality_cells(found: Evaluation) -> list[list[str]]:
    rows = {_where(one): one.quality for one in found.probings if one.quality}
    floors = {f"floor: {_FLOOR_NAMES[name]}": floor for name, floor in (found.floors or {}).items()}
    cells = [
        [f"{quality.precision:.3f}", f"{quality.average_precision:.3f}", name]
        for name, quality in {**rows, **floors}.items()
    ]
    return [[f"P@{found.k}", f"mAP@{DEPTH}", ""], *cells]


def _queries(number: int) -> str:
    return f"{number:,} {'query' if number == 1 else 'queries'}"


def _where(probing: Probing) -> str:
    if probing.probes == "all":
        return "whole collection"
    if probing.probes == "auto":
        return "as many clusters as need be"
    return "own cluster" if probing.probes == 1 else f"{probing.probes} nearest clusters"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of figures two spaces apart, to the right; names in the last column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = len(widths) - 1 if not rows[0][-1] else len(widths)
    return [
        "  ".join(
            cell.rjust(width) if number < names else cell
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
