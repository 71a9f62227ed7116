"""What was found, as tables, goals and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import Goal, Table
from benchmarks.searching.arriving import Heard
from benchmarks.searching.asked_through import Compared
from benchmarks.searching.comparing import EVERYTHING, Row
from benchmarks.searching.growth import Point, exponent
from benchmarks.searching.paced import TOP
from benchmarks.searching.sides import LISTS, OURS
from benchmarks.searching.timing import Times

STEADY = "images arrive"


@dataclass(slots=True)
class Found:
    """Everything, in the order in which it was measured; `goal_size`: where the socket counts."""

    goal_size: int
    rows: list[Row] = field(default_factory=list)
    through: list[Compared] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    growth: list[Point] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def peer(self, row: Row) -> Row | None:
        """FAISS's inverted lists with the same points, centroids and probes."""
        for one in self.rows:
            if one.side == LISTS and (one.size, one.k, one.probes) == (row.size, row.k, row.probes):
                return one
        return None

    @property
    def ours(self) -> list[Row]:
        """Our rows that look into clusters."""
        return [row for row in self.rows if row.side == OURS and row.k != EVERYTHING]


def ratios(found: Found, row: Row) -> tuple[float, float] | None:
    """p50 by that of FAISS's inverted lists, on one processor and on all."""
    peer = found.peer(row)
    if peer is None:
        return None
    return row.one.p50 / peer.one.p50, row.both.p50 / peer.both.p50


def tables(found: Found) -> Iterator[Table]:
    """The comparison; through the socket; while images arrive."""
    rows = sorted(found.rows, key=lambda row: (row.size, row.k == EVERYTHING))
    yield Table(
        f"Top {TOP}, ids and scores",
        (
            *("vectors", "k", "side", "clusters searched", "p50 ms", "p99 ms", "queries/s"),
            *("recall@10 of those", "of everything", "MB", "p50 / FAISS IVFFlat"),
            *("all processors, p50 ms", "p50 / FAISS IVFFlat"),
        ),
        [_line(found, row) for row in rows],
    )
    yield Table(
        "One cluster, through the owner's Unix socket, p50",
        ("vectors", "answer", "in the owner, ms", "through the socket, ms", "more, ms"),
        [
            (
                f"{one.size:,}",
                "with payloads" if one.with_records else "ids and scores",
                *(f"{1e3 * seconds:.2f}" for seconds in (one.inside, one.through, one.more)),
            )
            for one in found.through
        ],
    )
    yield Table(
        f"One cluster of {found.goal_size:,} vectors and more while images arrive",
        ("", "images/s", "asked", "p50 ms", "p99 ms", "p99 / p50", "longest ms", "then"),
        [_heard(one) for one in found.heard],
    )


def _line(found: Found, row: Row) -> tuple[str, ...]:
    share = ratios(found, row)
    return (
        *(f"{row.size:,}", row.k, row.side, str(row.probes or "everything")),
        *(f"{1e3 * row.one.p50:.3g}", f"{1e3 * row.one.p99:.3g}", f"{row.one.per_second:,.0f}"),
        *(f"{row.recall:.4f}", f"{row.recall_of_all:.3f}", f"{row.memory / 1e6:,.0f}"),
        f"{share[0]:.2f}" if share else "",
        f"{1e3 * row.both.p50:.3g}",
        f"{share[1]:.2f}" if share else "",
    )


def _heard(one: Heard) -> tuple[str, ...]:
    p50, p99 = one.percentile(50), one.percentile(99)
    return (
        *(one.phase.name, f"{one.images / one.phase.seconds:.0f}", one.asker),
        *(f"{1e3 * p50:.2f}", f"{1e3 * p99:.2f}", f"{p99 / p50:.1f}"),
        *(f"{1e3 * one.longest:.0f}", one.cause),
    )


def goals(found: Found) -> Iterator[Goal]:
    """Those of the issue, the worst of what each is about."""
    for size in sorted({row.size for row in found.ours}):
        worst = max(
            share[0] for row in found.ours if row.size == size if (share := ratios(found, row))
        )
        what = (
            f"search in clusters of {size:,} vectors: p50 / FAISS IVFFlat's, one processor, worst"
        )
        yield Goal(what, worst, 1, "at most")
    recall = min(row.recall for row in found.ours)
    yield Goal("recall@10 within the clusters searched, worst", recall, 0.99, "at least")
    for one in found.through:
        if one.size == found.goal_size and not one.with_records:
            what = f"the Unix socket at {one.size:,} vectors: more than in-process, p50"
            yield Goal(what, 1e3 * one.more, 1.5, "at most", "ms")
    for phase in dict.fromkeys(
        one.phase for one in found.heard if one.phase.tidies or not one.phase.batches
    ):
        shares = [
            one.percentile(99) / one.percentile(50) for one in found.heard if one.phase == phase
        ]
        yield Goal(f"search, {phase.name}: p99 / p50", max(shares), 3, "at most")
    longest = max(found.heard, key=lambda one: one.longest)
    what = f"longest stall of a query ({longest.phase.name}; {longest.asker}; {longest.cause})"
    yield Goal(what, longest.longest, 0.3, "at most", "s")
    what = "growth of a search with its cluster: exponent from 10,000 vectors on"
    yield Goal(what, exponent(found.growth), 1.05, "at most")


def as_json(found: Found) -> dict[str, Any]:
    """Everything behind the tables, in seconds and bytes."""
    return found.about | {
        "rows": [
            {
                **{name: getattr(row, name) for name in _PLAIN},
                "one": _summary(row.one),
                "all": _summary(row.both),
            }
            for row in found.rows
        ],
        "through": [
            {"size": one.size, "with_records": one.with_records, "inside": one.inside}
            | {"through": one.through}
            for one in found.through
        ],
        "heard": [
            {"phase": one.phase.name, "asker": one.asker, "images": one.images, "cause": one.cause}
            | {f"p{share}": one.percentile(share) for share in (50, 95, 99)}
            | {"asked": len(one.waits), "longest": one.longest}
            for one in found.heard
        ],
        "growth": [[one.size, one.vectors, one.p50] for one in found.growth],
        "exponent": exponent(found.growth),
    }


_PLAIN = ("size", "k", "side", "probes", "recall", "recall_of_all", "memory", "own_memory")


def _summary(times: Times) -> dict[str, float]:
    return {name: getattr(times, name) for name in ("p50", "p99", "per_second")}
