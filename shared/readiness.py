"""What to say while an indexer is at work, in place of the advice to run one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from shared.daemon_report import read_report
from shared.errors import NoModel, NotReady, StoreMissing
from shared.heartbeat import STALE_SECONDS, seconds_since_beat
from shared.lock import holder

_WATCH = "indexer watch"


@contextlib.contextmanager
def explained(run: Path) -> Iterator[None]:
    """Raise `NotReady` in place of `NoModel` and `StoreMissing` while an indexer is at work on the
    home, with what it is doing."""
    try:
        yield
    except (NoModel, StoreMissing) as error:
        doing = _without_images(run)
        if doing is None:
            raise
        raise NotReady(f"nothing is indexed yet: {doing}") from error


def indexing_remark(run: Path) -> str | None:
    """``indexing: 448 of 1,000, 7 s left`` while images are being added; None otherwise."""
    report = read_report(run)
    return report.state if report is not None and report.is_indexing else None


def _without_images(run: Path) -> str | None:
    """What an indexer does on a home in which nothing can be searched; None if there is none, or
    if it has done all that it was to do."""
    report = read_report(run)
    if report is None:
        return _unreported(run)
    if report.state.startswith(("degraded", "paused")):  # the rest may name folders
        return f"the indexer is {report.state.partition(':')[0]}, see `indexer status`"
    if report.state != "watching":
        return report.state
    return None if report.indexed else "no image has been found in the watched folders"


def _unreported(run: Path) -> str | None:
    at_work = holder(run)
    if at_work is None:
        return None
    command, process = at_work
    if command != _WATCH:
        return f"busy with `{command}`"
    age = seconds_since_beat(run)
    if age is not None and age > STALE_SECONDS:
        return f"`{_WATCH}` (process {process}) has not responded for {age:.0f} s: restart it"
    return f"`{_WATCH}` is starting"
