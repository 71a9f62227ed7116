"""Numbers as people read them, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def counted(points: float) -> str:
    """1 million, 1 billion."""
    for limit, name in ((1e9, "billion"), (1e6, "million")):
        if points >= limit:
            return f"{points / limit:,.3g} {name}"
    return f"{points:,.0f}"


def size(amount: float) -> str:
    """Bytes with the unit that suits, powers of a thousand."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if amount >= limit:
            return f"{rounded(amount / limit)} {unit}"
    return f"{amount:.0f} bytes"


def span(seconds: float) -> str:
    """Seconds with the unit that suits."""
    for limit, unit in ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * limit or unit == "s":
            return f"{rounded(seconds / limit)} {unit}"
    return ""


def rounded(value: float) -> str:
    """Two digits that say something, more for what is at least a hundred."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2g}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown; columns are as wide as they need to be, for a diff changes one line then."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines)
