"""Whether the daemon is alive and moving: what probes ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.heartbeat import STALE_SECONDS, seconds_since_beat
from shared.lock import is_running


def health(run: Path, state: str, *, live: bool) -> dict[str, Any]:
    """Whether all is well with the daemon, its state and, if it is not well, why.

    `live` asks only whether it runs and moves; else it must not be degraded or paused either.
    """
    if not is_running(run):
        return {"healthy": False, "state": state, "why": "no indexer is running on this home"}
    age = seconds_since_beat(run)
    if age is not None and age > STALE_SECONDS:
        return {
            "healthy": False,
            "state": state,
            "why": f"the loop last came round {age:.0f} s ago",
        }
    if not live and state.startswith(("degraded", "paused")):
        return {"healthy": False, "state": state, "why": state}
    return {"healthy": True, "state": state, "why": None}
