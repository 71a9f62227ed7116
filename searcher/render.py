"""Answers as text: the table for people, paths for other programs.

Plain text with two ANSI attributes at most: Rich would double the time of a cold query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.report import escape

if TYPE_CHECKING:
    from searcher.answer import Answer
    from shared.types import ScoredImage

_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def share(part: int, whole: int) -> str:
    """``"17 %"``; never 0 % for something, never 100 % for less than everything."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 1:
        return "<1 %"
    if 99 < percent < 100:
        return ">99 %"
    return f"{percent:.0f} %"


def headline(shown: str, answer: Answer) -> str:
    """``query.jpg · cluster g1/3 · searched 512 of 3,068 (17 %)``."""
    return f"{escape(shown)} · {found_in(answer)}"


def found_in(answer: Answer) -> str:
    """``cluster g1/3 · searched 512 of 3,068 (17 %)``."""
    return (
        f"cluster {answer.cluster} · searched {answer.searched:,} of {answer.total:,} "
        f"({share(answer.searched, answer.total)})"
    )


def shortfall(answer: Answer) -> str | None:
    """Why there are fewer results than wanted, or None."""
    if len(answer.results) >= answer.number:
        return None
    where = "this cluster" if len(answer.clusters_searched) == 1 else "these clusters"
    return f"only {answer.searched:,} in {where}: {len(answer.results)} of {answer.number:,} wanted"


def table(shown: str, answer: Answer, *, color: bool = False) -> str:
    """One answer for people: a headline, the root, then a line for every result.

    The root is named once; when results come from several, each line names its own.
    """
    roots = sorted({image.record.root for image in answer.results if image.record})
    lines = [_styled(headline(shown, answer), _BOLD, color)]
    if len(roots) == 1:
        lines.append(_styled(f"in {escape(roots[0])}", _DIM, color))
    if answer.results:
        head, *rows = _aligned(_cells(answer, show_root=len(roots) > 1))
        lines += [_styled(head, _DIM, color), *rows]
    if note := shortfall(answer):
        lines.append(note)
    return "\n".join(lines) + "\n"


def _cells(answer: Answer, *, show_root: bool) -> list[list[str]]:
    head = ["rank", "score", "cluster", *(["root"] if show_root else []), "path"]
    return [head, *(_row(answer, n, image, show_root) for n, image in enumerate(answer.results, 1))]


def _row(answer: Answer, rank: int, image: ScoredImage, show_root: bool) -> list[str]:
    record = image.record
    if record is None:
        return [f"{rank}", f"{image.score:.3f}", "", *([""] if show_root else []), image.id]
    root = [escape(record.root)] if show_root else []
    cluster = answer.cluster_of(record) or ""
    return [f"{rank}", f"{image.score:.3f}", cluster, *root, escape(record.path)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart; rank and score to the right, the rest to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number < 2 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _styled(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{_RESET}" if color else text
