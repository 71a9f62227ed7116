"""`Condition`: what the store can ask of a payload while it searches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

Op: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
Kind: TypeAlias = Literal["word", "number", "date"]
Value: TypeAlias = str | float | int


@dataclass(frozen=True, slots=True)
class Field:
    """A payload field that the store can filter.

    `key`: its name in the payload. `kind`: *word* compares whole texts (any element of an array),
    *number* and *date* compare sizes. `ops`: the operators that a `Condition` on it may have.
    """

    key: str
    kind: Kind
    ops: tuple[Op, ...]


_WORD: tuple[Op, ...] = ("=", "!=")
_NUMBER: tuple[Op, ...] = get_args(Op)
_DATE: tuple[Op, ...] = ("<", "<=", ">", ">=")

FIELDS: Mapping[str, Field] = {
    "folder": Field("folders", "word", _WORD),
    "root": Field("root", "word", _WORD),
    "path": Field("path", "word", _WORD),
    "format": Field("format", "word", _WORD),
    "sha256": Field("sha256", "word", _WORD),
    "width": Field("width", "number", _NUMBER),
    "height": Field("height", "number", _NUMBER),
    "bytes": Field("bytes", "number", _NUMBER),
    "mtime": Field("mtime", "number", _NUMBER),
    "taken_at": Field("taken_at", "date", _DATE),
    "indexed_at": Field("indexed_at", "date", _DATE),
}
"""What can be filtered. ``folder`` is any folder above the picture, inside its root."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as the store takes it: hashable, and three JSON values.

    `field` is a key of `FIELDS`, `op` one of that field's. `value`: a text for words; a finite
    number for numbers; a whole ISO 8601 instant for dates. Raises ValueError for anything else:
    people's spelling (``taken_at=2024-01``) is for `shared.where`.
    """

    field: str
    op: Op
    value: Value

    def __post_init__(self) -> None:
        known = FIELDS.get(self.field)
        if known is None or self.op not in known.ops:
            raise ValueError(f"no such condition: {self.field!r} {self.op!r}")
        value = self.value
        if known.kind == "number":
            fits = type(value) is int or (type(value) is float and math.isfinite(value))
        else:
            fits = isinstance(value, str)
        if not fits:
            raise ValueError(f"{self.field} cannot be compared with {value!r}")
        if known.kind == "date":
            datetime.fromisoformat(str(value))

    def to_json(self) -> list[Value]:
        """``[field, op, value]``."""
        return [self.field, self.op, self.value]


@dataclass(frozen=True, slots=True)
class Terms:
    """All conditions on one field. `any_of` (None: no such condition) and `none_of`: its values;
    `bounds`: every other operator with its value."""

    name: str
    any_of: tuple[Value, ...] | None
    none_of: tuple[Value, ...]
    bounds: tuple[tuple[Op, Value], ...]

    @property
    def field(self) -> Field:
        """The field."""
        return FIELDS[self.name]


def grouped(where: Sequence[Condition]) -> list[Terms]:
    """Conditions by field, in the order of their first one. An adapter must require every `Terms`:
    of words, any of `any_of`; of numbers, each of them; and whatever else they hold."""
    result = []
    for name in dict.fromkeys(condition.field for condition in where):
        mine = [condition for condition in where if condition.field == name]
        equal = tuple(one.value for one in mine if one.op == "=")
        result.append(
            Terms(
                name=name,
                any_of=equal or None,
                none_of=tuple(one.value for one in mine if one.op == "!="),
                bounds=tuple((one.op, one.value) for one in mine if one.op not in _WORD),
            )
        )
    return result
