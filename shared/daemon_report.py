"""What the indexer at work says of itself, in a file of the home's run folder."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared.heartbeat import STALE_SECONDS, seconds_since_beat
from shared.lock import holder
from shared.work_progress import WorkProgress

FORMAT_VERSION = 2
"""Version 1 had no `progress`."""

_NAME = "report.json"


@dataclass(frozen=True, slots=True)
class DaemonReport:
    """One moment of an indexer. `state` is the line that people read.

    `indexed`, `backlog` (pending) and `refused` count files; `at` is ISO 8601, UTC: since when it
    is so. `progress`: of the present batch of work, None while there is none.
    """

    pid: int
    state: str
    indexed: int
    backlog: int
    refused: int
    at: str
    progress: WorkProgress | None = None

    @property
    def is_indexing(self) -> bool:
        """Whether images are being added, so that searches find only a part of them."""
        return self.state.startswith(("indexing", "catching up"))  # the second: version 1


def write_report(run: Path, report: DaemonReport) -> bool:
    """Replace the report, which is complete or absent; whether that could be done. Never raises.

    On a full disk it is removed: nobody is to read what is no longer so. There is no fsync: after a
    power cut no daemon runs that it could speak of.
    """
    beside = run / f".{_NAME}-new"  # always the same: one daemon writes, a killed one leaves one
    try:
        beside.write_text(json.dumps({"format": FORMAT_VERSION} | asdict(report)))
        os.replace(beside, run / _NAME)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        remove_report(run)
        return False
    return True


def remove_report(run: Path) -> None:
    """Leave no report behind. Never raises."""
    with contextlib.suppress(OSError):
        (run / _NAME).unlink(missing_ok=True)


def read_report(run: Path) -> DaemonReport | None:
    """What the indexer at work said last.

    None when no indexer runs, when it hangs (no heartbeat for `STALE_SECONDS`), when it could not
    write, or when the file is damaged or of a later version.
    """
    report = _read(run / _NAME)
    if report is None:
        return None
    at_work, age = holder(run), seconds_since_beat(run)
    if at_work is None or at_work[1] != report.pid or (age is not None and age > STALE_SECONDS):
        return None
    return report


def _read(path: Path) -> DaemonReport | None:
    try:
        value = json.loads(path.read_bytes())
        if value.pop("format") not in (1, FORMAT_VERSION):
            return None
        return DaemonReport(
            pid=int(value["pid"]),
            state=str(value["state"]),
            indexed=int(value["indexed"]),
            backlog=int(value["backlog"]),
            refused=int(value["refused"]),
            at=str(value["at"]),
            progress=_progress(value.get("progress")),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _progress(value: Any) -> WorkProgress | None:
    if value is None:
        return None
    left = value["seconds_left"]
    return WorkProgress(
        int(value["done"]), int(value["total"]), None if left is None else float(left)
    )
