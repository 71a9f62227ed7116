"""A comparison as JSON and as a table for people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from indexer.bakeoff.entrants import VECTOR_BYTES
from indexer.bakeoff.names import figure_name, floor_name
from indexer.bakeoff.questions import Scores
from indexer.bakeoff.results import Comparison, Failed, Measured, spread
from shared.report import escape

_DIGITS = 4
_SHOWN_REFUSALS = 5


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; shares lie in [0, 1]. A failed encoder has only `error`."""
    return {
        "folder": str(found.folder),
        "pictures": found.pictures,
        "refused": len(found.refused),
        "queries": found.queries,
        "labelled": found.labelled,
        "held_out": found.held_out,
        "seed": found.seed,
        "encoders": [
            *(_measured_json(one, found.seed) for one in found.measured),
            *(_failed_json(one) for one in found.failed),
        ],
        "floors": None
        if found.floors is None
        else {name: _scores_json(scores, found.seed) for name, scores in found.floors.items()},
        "recommendation": {
            "take": found.verdict.take,
            "tied": list(found.verdict.tied),
            "text": " ".join(found.verdict.sentences),
        },
    }


def _measured_json(one: Measured, seed: int) -> dict[str, Any]:
    return {
        "encoder": one.name,
        "error": None,
        "kind": one.kind,
        "bundle": one.bundle,
        **_scores_json(one.scores, seed),
        "images_per_second": round(one.speed.images_per_second, 1),
        "query_ms": round(one.speed.query_ms, 3),
        "vector_bytes": VECTOR_BYTES,
        "training_seconds": None
        if one.training_seconds is None
        else round(one.training_seconds, 1),
        "encoder_bytes": one.encoder_bytes,
        "fair": not one.seen,
        "note": one.note,
    }


def _failed_json(one: Failed) -> dict[str, Any]:
    return {"encoder": one.name, "error": one.reason}


def _scores_json(scores: Scores, seed: int) -> dict[str, Any]:
    interval = spread(scores, seed)
    return {
        **{name: round(float(values.mean()), _DIGITS) for name, values in scores.items()},
        "interval": [round(interval.low, _DIGITS), round(interval.high, _DIGITS)],
    }


def comparison_table(found: Comparison) -> str:
    """The comparison for people."""
    names = list(found.measured[0].scores)
    head = ["", *map(figure_name, names[:1]), "95 %", *map(figure_name, names[1:])]
    head += ["images/s", "ms/query", "bytes/image", "training", "encoder"]
    rows = [head, *(_measured_cells(one, found.seed) for one in found.measured)]
    for name, scores in (found.floors or {}).items():
        cells = _scores_cells(scores, found.seed)
        rows.append([f"floor: {floor_name(name)}", *cells, *[""] * (len(head) - 1 - len(cells))])
    return "\n".join(
        [
            f"{escape(str(found.folder))} · {found.pictures:,} pictures, {found.protocol}",
            "",
            *_columns(rows),
            *(f"{one.name} failed: {escape(one.reason)}" for one in found.failed),
            "",
            *(f"{one.name} {one.note}" for one in found.measured if one.note),
            *found.verdict.sentences,
            *_refusals(found),
            "",
        ]
    )


def _measured_cells(one: Measured, seed: int) -> list[str]:
    return [
        one.name if one.name == one.kind else f"{one.name} ({escape(one.kind)})",
        *_scores_cells(one.scores, seed),
        f"{one.speed.images_per_second:,.0f}",
        f"{one.speed.query_ms:.2f}",
        f"{VECTOR_BYTES:,}",
        "" if one.training_seconds is None else _duration(one.training_seconds),
        f"{one.encoder_bytes / 2**20:.1f} MiB",
    ]


def _scores_cells(scores: Scores, seed: int) -> list[str]:
    interval = spread(scores, seed)
    first, *rest = (f"{values.mean():.3f}" for values in scores.values())
    return [first, f"{interval.low:.3f}-{interval.high:.3f}", *rest]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def _refusals(found: Comparison) -> list[str]:
    if not found.refused:
        return []
    lines = [
        f"  {escape(os.fsdecode(path))}: {escape(reason)}"
        for path, reason in found.refused[:_SHOWN_REFUSALS]
    ]
    more = len(found.refused) - len(lines)
    rest = [f"  and {more:,} more"] if more else []
    return [f"{len(found.refused):,} refused:", *lines, *rest]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart; the names in the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
