"""Whether the daemon is alive and moving: a file it touches, and a question others ask."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from indexer.lock import is_running

STALE_SECONDS = 60.0
"""A daemon that has not come round for so long hangs; its longest step takes a few seconds."""


def beat(run: Path) -> None:
    """Say that the loop came round. Never fails: a full disk is told in other ways."""
    with contextlib.suppress(OSError):
        path = run / "heartbeat"
        path.touch()
        os.utime(path)


def health(run: Path, state: str, *, live: bool) -> dict[str, Any]:
    """Whether all is well with the daemon, its state and, if it is not well, why.

    `live` asks only whether it runs and moves; else it must not be degraded or paused either.
    """
    if not is_running(run):
        return {"healthy": False, "state": state, "why": "no indexer is running on this home"}
    age = _seconds_since_beat(run)
    if age is not None and age > STALE_SECONDS:
        return {
            "healthy": False,
            "state": state,
            "why": f"the loop last came round {age:.0f} s ago",
        }
    if not live and state.startswith(("degraded", "paused")):
        return {"healthy": False, "state": state, "why": state}
    return {"healthy": True, "state": state, "why": None}


def _seconds_since_beat(run: Path) -> float | None:
    """None before the first beat. A clock that jumped back makes it negative, which is no alarm."""
    try:
        return time.time() - (run / "heartbeat").stat().st_mtime
    except OSError:
        return None
