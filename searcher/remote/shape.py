"""JSON objects from elsewhere, whose values are checked as they are taken."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.errors import ServiceError

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Shape:
    """One object. Every method takes a key's value and raises `ServiceError` for a missing key or a
    value of another kind or size; those named `maybe_` give None for null."""

    values: Mapping[str, Any]
    name: str

    @classmethod
    def of(cls, value: object, name: str) -> Shape:
        """The object that a value must be; `name` is for messages."""
        if not isinstance(value, dict):
            raise ServiceError(f"{name} of the service is no JSON object: is it a Lookalike?")
        return cls(value, name)

    @classmethod
    def read(cls, body: bytes, name: str) -> Shape:
        """The object that the bytes of a body must be."""
        try:
            return cls.of(json.loads(body), name)
        except (ValueError, RecursionError) as error:
            raise ServiceError(f"{name} of the service is no JSON: is it a Lookalike?") from error

    def wrong(self, key: str) -> ServiceError:
        """The error about a key's value."""
        shown = f"{self.values[key]!r:.60}" if key in self.values else "missing"
        return ServiceError(
            f"{self.name} of the service is not understood: {key} is {shown}: "
            "is it of this version?"
        )

    def text(self, key: str) -> str:
        """A text of valid Unicode."""
        value = self.values.get(key)
        if not isinstance(value, str) or not _is_unicode(value):
            raise self.wrong(key)
        return value

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number in [low, high]."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key)
        try:
            number = float(value)
        except OverflowError as error:
            raise self.wrong(key) from error
        if not math.isfinite(number) or not low <= number <= high:
            raise self.wrong(key)
        return number

    def count(self, key: str, most: int = 2**53) -> int:
        """A whole number from 0 to `most`."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(key)
        return value

    def choice(self, key: str, known: Sequence[_Choice]) -> _Choice:
        """One of the known texts."""
        value = self.values.get(key)
        for one in known:
            if value == one:
                return one
        raise self.wrong(key)

    def items(self, key: str, most: int = 2**53) -> list[Any]:
        """A list of at most so many values, which are not looked at."""
        value = self.values.get(key)
        if not isinstance(value, list) or len(value) > most:
            raise self.wrong(key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts of valid Unicode."""
        values = self.items(key)
        if not all(isinstance(one, str) and _is_unicode(one) for one in values):
            raise self.wrong(key)
        return tuple(values)

    def part(self, key: str) -> Shape:
        """An object."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key)
        return Shape(value, f"{key} of {self.name}")

    def maybe_text(self, key: str) -> str | None:
        """As `text`."""
        return None if self.values.get(key) is None else self.text(key)

    def maybe_number(
        self, key: str, low: float = -math.inf, high: float = math.inf
    ) -> float | None:
        """As `number`."""
        return None if self.values.get(key) is None else self.number(key, low, high)

    def maybe_count(self, key: str, most: int = 2**53) -> int | None:
        """As `count`."""
        return None if self.values.get(key) is None else self.count(key, most)

    def maybe_choice(self, key: str, known: Sequence[_Choice]) -> _Choice | None:
        """As `choice`."""
        return None if self.values.get(key) is None else self.choice(key, known)

    def maybe_part(self, key: str) -> Shape | None:
        """As `part`."""
        return None if self.values.get(key) is None else self.part(key)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
