"""A `Progress` for tests: says nothing, remembers everything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class SilentStage:
    """One stage: how far it went and what was noted."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total = name, total
        self.done = 0
        self.notes: list[str] = []

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        self.notes.append(text)


class Silent:
    """Every stage that was begun, and every line that was said."""

    def __init__(self) -> None:
        self.stages: list[SilentStage] = []
        self.said: list[str] = []

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[SilentStage]:
        self.stages.append(SilentStage(name, total))
        yield self.stages[-1]

    def say(self, text: str) -> None:
        self.said.append(text)
