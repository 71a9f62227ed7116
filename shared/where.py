"""`--where`: conditions as people write them, checked before the store is asked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from shared.conditions import FIELDS, Condition, Op, Terms, Value, grouped
from shared.errors import QueryError
from shared.formats import stored_names
from shared.types import shown_path

__all__ = ["FIELDS", "Condition", "parse_where"]

_LONGEST = 4096


def parse_where(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Conditions such as ``folder=holiday/2024``, ``width>=1000`` or ``taken_at<2024-05``.

    All of them are required, except that the same word field given several times with ``=`` means
    any of its values. A date may be partial: ``taken_at=2024-01`` is within that month,
    ``taken_at>=2024-01`` begins with its first moment, ``taken_at<=2024-01`` ends with its last.
    ``taken_at`` is the camera's clock; ``indexed_at`` and ``mtime`` are moments, and a date without
    a zone is meant in the zone of this process.

    Raises `QueryError`, one line that names the value and the choices, for an unknown field, an
    operator that the field lacks, a value of the wrong kind, and conditions that no picture can
    meet at once.
    """
    found = [condition for text in texts for condition in _parsed(text)]
    conditions = tuple(dict.fromkeys(found))
    for terms in grouped(conditions):
        _check_possible(terms)
    return conditions


def _parsed(text: str) -> list[Condition]:
    match = re.fullmatch(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)(.*)", text, re.DOTALL)
    if match is None:
        raise QueryError(
            f"where {text!r} is no condition: give FIELD OPERATOR VALUE, such as width>=1000, "
            f"with a field of {', '.join(FIELDS)}"
        )
    name, op, value = match.groups()
    if name not in FIELDS:
        raise QueryError(
            f"where {text!r}: {name!r} cannot be filtered: choose one of {', '.join(FIELDS)}"
        )
    field = FIELDS[name]
    allowed = (*field.ops, "=") if field.kind == "date" else field.ops
    if op not in allowed:
        raise QueryError(f"where {text!r}: {name} takes only {' '.join(sorted(set(allowed)))}")
    if len(value) > _LONGEST:
        raise QueryError(f"where {name}: the value has {len(value)} characters, over {_LONGEST}")
    try:
        return _PARSERS.get(name, _PARSERS[field.kind])(name, op, value)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"where {text!r}: {error}") from error


def _word(name: str, op: Op, value: str) -> list[Condition]:
    if not value:
        raise ValueError(f"{name} is compared with nothing: give a value")
    # As the store has it: what is not Unicode is shown as U+FFFD.
    return [Condition(name, op, shown_path(value.encode("utf-8", "surrogateescape")))]


def _folder(name: str, op: Op, value: str) -> list[Condition]:
    short = re.sub(r"^(\./+)+|/+$", "", value)
    if name == "folder" and (not short or short.startswith("/")):
        raise ValueError(
            f"folder takes a folder inside a root, such as holiday/2024, not {value!r}"
        )
    return _word(name, op, short or value[:1])


def _format(name: str, op: Op, value: str) -> list[Condition]:
    return [Condition(name, op, stored) for stored in stored_names(value)]


def _sha256(name: str, op: Op, value: str) -> list[Condition]:
    lower = value.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", lower):
        raise ValueError("sha256 takes 64 hexadecimal digits")
    return [Condition(name, op, lower)]


def _number(name: str, op: Op, value: str) -> list[Condition]:
    number = _finite(value)
    if number is None:
        raise ValueError(f"{name} takes a number such as 1000")
    return [Condition(name, op, number)]


def _finite(value: str) -> float | int | None:
    try:
        number = float(value) if "_" not in value else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _date(name: str, op: Op, value: str) -> list[Condition]:
    begin, end = _period(value)
    if name == "taken_at":
        if begin.tzinfo is not None:
            raise ValueError("taken_at is the camera's clock and has no zone: leave it out")
        first, after = begin.isoformat(), end.isoformat()
    else:
        first, after = begin.astimezone().isoformat(), end.astimezone().isoformat()
    return _within(name, op, first, after)


def _mtime(name: str, op: Op, value: str) -> list[Condition]:
    """A number is seconds since the epoch, except four digits alone, which are a year."""
    number = None if re.fullmatch(r"\s*\d{4}\s*", value) else _finite(value)
    if number is not None:
        return [Condition(name, op, number)]
    if op == "!=":
        raise ValueError("mtime takes != only with seconds since the epoch")
    begin, end = _period(value)
    return _within(name, op, begin.timestamp(), end.timestamp())


def _within(name: str, op: Op, first: Value, after: Value) -> list[Condition]:
    """A comparison with the period from `first` up to but not including `after`."""
    match op:
        case "<":
            return [Condition(name, "<", first)]
        case "<=":
            return [Condition(name, "<", after)]
        case ">":
            return [Condition(name, ">=", after)]
        case ">=":
            return [Condition(name, ">=", first)]
        case _:
            return [Condition(name, ">=", first), Condition(name, "<", after)]


_PERIOD = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)([T ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(:(?P<second>\d\d)([.]\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?"
)


def _period(value: str) -> tuple[datetime, datetime]:
    """The first moment of what a partial date names, and the first moment after it."""
    text = value.strip()
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{value!r} is no date: give 2024, 2024-01, 2024-01-05 or 2024-01-05T10:00"
        )
    given = match.groupdict()
    try:
        if given["month"] is None:
            begin = datetime(int(text), 1, 1)
            return begin, begin.replace(year=begin.year + 1)
        if given["day"] is None:
            begin = datetime.fromisoformat(text + "-01")
            return begin, (begin + timedelta(days=31)).replace(day=1)
        begin = datetime.fromisoformat(text)
        unit = "days" if given["hour"] is None else "seconds" if given["second"] else "minutes"
        return begin, begin + timedelta(**{unit: 1})
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is no date of the calendar: {error}") from error


_PARSERS: Mapping[str, Callable[[str, Op, str], list[Condition]]] = {
    "word": _word,
    "number": _number,
    "date": _date,
    "folder": _folder,
    "root": _folder,
    "format": _format,
    "sha256": _sha256,
    "mtime": _mtime,
}


def _check_possible(terms: Terms) -> None:
    """Raise `QueryError` if no value of the field can meet all of its conditions."""
    if terms.field.kind == "word":
        if terms.any_of and set(terms.any_of) <= set(terms.none_of):
            raise QueryError(
                f"where {terms.name}={terms.any_of[0]} and not: nothing is both, leave one out"
            )
        return
    equal = [("=", value) for value in terms.any_of or ()]
    low = [*equal, *(bound for bound in terms.bounds if bound[0] in (">", ">="))]
    high = [*equal, *(bound for bound in terms.bounds if bound[0] in ("<", "<="))]
    if not low or not high:
        return
    # Of two bounds at the same place, the one that leaves the place itself out is the tighter.
    begin, left_out = max((_size(value), op == ">") for op, value in low)
    end, let_in = min((_size(value), op != "<") for op, value in high)
    if begin > end or (begin == end and (left_out or not let_in)):
        raise QueryError(
            f"where {terms.name} begins at {_named(low, begin)} and ends at {_named(high, end)}: "
            "nothing is in between, give a later end or an earlier beginning"
        )
    if begin == end and begin in terms.none_of:
        raise QueryError(f"where {terms.name}={begin:g} and !={begin:g}: leave one out")


def _size(value: Value) -> float:
    """A number to compare with. Within one field, either all instants have a zone or none has."""
    if not isinstance(value, str):
        return value
    instant = datetime.fromisoformat(value)
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _named(bounds: Sequence[tuple[str, Value]], size: float) -> Value:
    return next(value for _, value in bounds if _size(value) == size)
