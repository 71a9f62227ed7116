"""Answers as text: the table for people, paths for other programs.

Plain text with two ANSI attributes at most: Rich would double the time of a cold query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from searcher.answer import remarks
from shared.report import escape

if TYPE_CHECKING:
    from searcher.answer import Answer
    from shared.types import ScoredImage

_NAMED_CLUSTERS = 8

_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def share(part: int, whole: int) -> str:
    """``"17%"``; never 0% for something, never 100% for less than everything."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 1:
        return "<1%"
    if 99 < percent < 100:
        return ">99%"
    return f"{percent:.0f}%"


def percentile_text(percentile: float) -> str:
    """``"97"``, ``"99.3"``, ``"99.98"``: rounded down, so that only what beats all is 100."""
    digits = 0 if percentile < 99 else 1 if percentile < 99.9 else 2
    step = 10**digits
    return f"{int(percentile * step) / step:.{digits}f}" if percentile < 100 else "100"


def headline(shown: str, answer: Answer) -> str:
    """``query.jpg · cluster g1/3 · searched g1/3, g1/1: 912 of 3,068 (30%)``."""
    return f"{escape(shown)} · {found_in(answer)}"


def found_in(answer: Answer) -> str:
    """What was searched, and the recall: the headline without the query."""
    facts = [
        f"cluster {answer.cluster}",
        f"searched {_clusters(answer)}{answer.searched:,} of {answer.total:,} "
        f"({share(answer.searched, answer.total)})",
    ]
    if answer.recall is not None and (answer.recall.value < 1 or answer.recall.kind == "measured"):
        percent = f"{100 * answer.recall.value:.0f}%"
        measured = answer.recall.kind == "measured"
        facts.append(
            f"found {percent} of the best {answer.number:,}"
            if measured
            else f"finds about {percent} of the best"
        )
    return " · ".join(facts)


def _clusters(answer: Answer) -> str:
    """The clusters that were searched, where it was not the predicted one alone."""
    labels = answer.clusters_searched
    if len(labels) == 1:
        return ""
    if answer.searched == answer.matching:
        return f"all {len(labels)} clusters: "
    more = len(labels) - _NAMED_CLUSTERS
    return ", ".join(labels[:_NAMED_CLUSTERS]) + (f" and {more} more: " if more > 0 else ": ")


def caption(answer: Answer, rank: int, result: ScoredImage) -> str:
    """``3 · 0.930 · near`` below a drawn result."""
    tier = answer.tiers.get(result.id)
    return f"{rank} · {result.score:.3f}" + (f" · {tier}" if tier else "")


def table(
    shown: str,
    answer: Answer,
    explained: Mapping[str, str] | None = None,
    *,
    color: bool = False,
) -> str:
    """One answer for people: a headline, the root, then a line for every result.

    `explained`: by result id, a line that is printed below the result's.
    The root is named once; when results come from several, each line names its own.
    """
    roots = sorted({image.record.root for image in answer.results if image.record})
    lines = [_styled(headline(shown, answer), _BOLD, color)]
    if len(roots) == 1:
        lines.append(_styled(f"in {escape(roots[0])}", _DIM, color))
    if answer.results:
        head, *rows = _aligned(_cells(answer, show_root=len(roots) > 1))
        lines.append(_styled(head, _DIM, color))
        for row, image in zip(rows, answer.results, strict=True):
            lines.append(row)
            if explained and image.id in explained:
                lines.append(_styled(f"      {explained[image.id]}", _DIM, color))
    lines += remarks(answer)
    return "\n".join(lines) + "\n"


def _cells(answer: Answer, *, show_root: bool) -> list[list[str]]:
    columns = ["rank", "score", "percentile", "tier", "cluster", "root", "path"]
    rows = [_row(answer, rank, image) for rank, image in enumerate(answer.results, 1)]
    shown = [
        (name != "root" or show_root)
        and (name != "percentile" or bool(answer.percentiles))
        and (name != "tier" or bool(answer.tiers))
        for name in columns
    ]
    return [
        [cell for cell, wanted in zip(row, shown, strict=True) if wanted]
        for row in [columns, *rows]
    ]


def _row(answer: Answer, rank: int, image: ScoredImage) -> list[str]:
    record, percentile = image.record, answer.percentile(image)
    return [
        f"{rank}",
        f"{image.score:.3f}",
        "" if percentile is None else percentile_text(percentile),
        answer.tiers.get(image.id, ""),
        (record and answer.cluster_of(record)) or "",
        escape(record.root) if record else "",
        escape(record.path) if record else image.id,
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart; figures to the right, the rest to the left."""
    figures = rows[0].index("percentile") + 1 if "percentile" in rows[0] else 2
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number < figures else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _styled(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{_RESET}" if color else text
