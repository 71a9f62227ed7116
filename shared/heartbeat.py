"""A file that the daemon touches whenever its loop comes round, so that others see it move."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

STALE_SECONDS = 60.0
"""A daemon that has not come round for so long hangs; its longest step takes a few seconds."""

_NAME = "heartbeat"


def beat(run: Path) -> None:
    """Say that the loop came round. Never fails: a full disk is told in other ways."""
    with contextlib.suppress(OSError):
        path = run / _NAME
        path.touch()
        os.utime(path)


def seconds_since_beat(run: Path) -> float | None:
    """None before the first beat. A clock that jumped back makes it negative, which is no alarm."""
    try:
        return time.time() - (run / _NAME).stat().st_mtime
    except OSError:
        return None
