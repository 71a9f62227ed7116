"""Seconds and processor time of a fit's epochs, told by its own progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """From the end of the epoch before (its validation, too) to the last training step."""

    seconds: float
    processor_seconds: float


class Clock:
    """A `Progress` whose stages time what is advanced between two notes; says nothing.

    `fit` notes the end of every epoch. The first one is left out, for TensorFlow traces in it.
    """

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.total = 0
        self._begun: tuple[float, float] | None = None
        self._last = _now()

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Clock]:  # noqa: ARG002
        """As `Progress.stage`; `total` is kept."""
        self.total = total or 0
        yield self

    def advance(self, n: int = 1) -> None:  # noqa: ARG002
        """One more step is done."""
        self._last = _now()

    def note(self, text: str) -> None:  # noqa: ARG002
        """One more epoch is done."""
        if self._begun is not None:
            seconds, processor = (
                last - begun for last, begun in zip(self._last, self._begun, strict=True)
            )
            self.epochs.append(Epoch(seconds, processor))
        self._begun = _now()

    def say(self, text: str) -> None:
        """As `Progress.say`."""


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
