"""What the indexer says of itself, as JSON and as a stream of changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from searcher.service.engine import Opened
from searcher.service.parts import Service
from shared.daemon_report import read_report
from shared.errors import LookalikeError

LOOK_SECONDS = 0.5
QUIET_SECONDS = 15.0
"""After so long without a change, a comment tells whether anybody still listens."""


def indexing_json(run: Path) -> dict[str, Any] | None:
    """The report of the indexer at work on this home, None if there is none."""
    report = read_report(run)
    if report is None:
        return None
    progress = report.progress
    return {
        "state": report.state,
        "indexed": report.indexed,
        "backlog": report.backlog,
        "refused": report.refused,
        "at": report.at,
        "done": progress and progress.done,
        "total": progress and progress.total,
        "seconds_left": progress and progress.seconds_left,
    }


async def changes(service: Service) -> AsyncIterator[bytes]:
    """Server-sent events: `indexing` and `clusters` at once and whenever they change, until the
    service stops."""
    known: dict[str, str] = {}
    quiet = 0.0
    while not service.stop.is_set():
        for name, value in (await service.files.run(lambda: _now(service))).items():
            text = json.dumps(value)
            if known.get(name) != text:
                known[name], quiet = text, 0.0
                yield f"event: {name}\ndata: {text}\n\n".encode()
        await _pause(service)
        quiet += LOOK_SECONDS
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            yield b": nothing new\n\n"


async def _pause(service: Service) -> None:

    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await service.stop.wait()
    except TimeoutError:
        return


def _now(service: Service) -> dict[str, Any]:
    def view(opened: Opened) -> dict[str, Any]:
        pair = opened.home.pair
        return {
            "images": opened.searcher.store.count(),
            "clusters": {"encoder": pair.encoder, "generation": pair.generation},
        }

    report = indexing_json(service.engine.settings.run) or {"state": None}
    try:
        found = service.engine.consistent(view)
    except LookalikeError:  # no model yet, or the store is away: said by the indexer's state
        return {"indexing": report | {"images": 0}}
    return {"indexing": report | {"images": found["images"]}, "clusters": found["clusters"]}
