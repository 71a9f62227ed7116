"""`Progress` on a terminal (rich, with time left), or as lines where there is none."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from shared.types import Progress, Stage
from shared.work_progress import duration


def progress() -> Progress:
    """The kind of progress that standard error can show."""
    return _TerminalProgress() if sys.stderr.isatty() else _LineProgress()


class _TerminalProgress:
    def say(self, text: str) -> None:
        print(text, file=sys.stderr)  # noqa: T201

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        bars = Bars(
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        with bars:
            task = bars.add_task(name, total=total, note="")

            class Bar:
                def advance(self, n: int = 1) -> None:
                    bars.advance(task, n)
                    one = bars.tasks[0]
                    if one.total is not None and one.completed > one.total:
                        bars.update(task, total=one.completed)

                def note(self, text: str) -> None:
                    bars.update(task, note=text)

            yield Bar()


class _LineProgress:
    """A line when a stage starts and ends, and every few seconds between, with the time left."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        lines = _Lines(name, total)
        yield lines
        lines.end()


class _Lines:
    _EVERY_SECONDS = 5.0

    def __init__(self, name: str, total: int | None) -> None:
        self._name, self._total = name, total
        self._done, self._note = 0, ""
        self._started = self._shown = time.monotonic()

    def advance(self, n: int = 1) -> None:
        self._done += n
        if self._total:
            self._total = max(self._total, self._done)
        now = time.monotonic()
        if now - self._shown >= self._EVERY_SECONDS:
            self._shown = now
            left = ""
            if self._total and self._done:
                seconds = (now - self._started) * (self._total - self._done) / self._done
                left = f", {duration(seconds)} left"
            self._print(f"{self._count()}{left}")

    def note(self, text: str) -> None:
        self._note = text

    def end(self) -> None:
        self._print(f"{self._count()} in {time.monotonic() - self._started:.1f} s")

    def _count(self) -> str:
        return f"{self._done} of {self._total}" if self._total else f"{self._done}"

    def _print(self, text: str) -> None:
        note = f" ({self._note})" if self._note else ""
        print(f"{self._name}: {text}{note}", file=sys.stderr, flush=True)  # noqa: T201
