"""How sheet and page name and arrange the examples of a query."""

from __future__ import annotations

from collections.abc import Sequence

from searcher.pictures import ExamplePicture

NOT_LIKE, MARK_WORD = "not like", "not"
"""What a negative example is called, and the short mark on its picture."""
MOST_NAMES, MOST_LETTERS = 3, 32


def heading(examples: Sequence[ExamplePicture]) -> str:
    """``Images that look like a.jpg and b.jpg, not like c.jpg``; long lists end in a number."""
    like, unlike = (
        [one.picture.name for one in examples if one.is_negative is negative]
        for negative in (False, True)
    )
    unwanted = f", {NOT_LIKE} {_listed(unlike, 'or')}" if unlike else ""
    return f"Images that look like {_listed(like, 'and')}{unwanted}"


def per_row(number: int) -> int:
    """How many of `number` examples, which share the place of one query, stand in a row: 1 to 4."""
    return next((columns for columns in (1, 2, 3) if number <= columns**2), 4)


def _listed(names: Sequence[str], conjunction: str) -> str:
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} more"]
        conjunction = "and"
    if len(names) > 1:
        names = [_shortened(name) for name in names]
    *most, last = names
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def _shortened(name: str) -> str:
    half = MOST_LETTERS // 2
    return name if len(name) <= MOST_LETTERS else f"{name[: half - 1]}…{name[-half:]}"
