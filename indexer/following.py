"""Commands that want something to be done to a home, by whoever is at work on it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from indexer.database import Database
from indexer.home import Home
from indexer.indexing import Indexing
from indexer.journal import Journal
from shared.errors import AlreadyRunning, LookalikeError
from shared.lock import holder
from shared.settings import Settings
from shared.types import Progress

POLL_SECONDS = 0.2


def until_done(
    settings: Settings,
    command: str,
    doing: str,
    is_done: Callable[[], bool],
    work: Callable[[Indexing], None],
    progress: Progress,
    stop: Callable[[], bool],
) -> bool:
    """Wait until something is done; False if it was stopped before.

    Does the `work` itself, as `command`, whenever no other indexer is at it, and tells what another
    one says of itself meanwhile; `doing` is what it does, as in *moves to g2*. Raises what
    `is_done`, `work` and `Indexing` raise.
    """
    said = ""
    while not is_done():
        if stop():
            return False
        at_work = holder(settings.run)
        if at_work is None:
            with (
                contextlib.suppress(AlreadyRunning),
                Home(settings, command) as home,
                contextlib.closing(Indexing(home)) as indexing,
            ):
                work(indexing)
        else:
            text = f"`{at_work[0]}` (process {at_work[1]}) {doing}"
            if (state := _state(settings, at_work[1])) is not None:
                text += f": {state}"
            if text != said:
                progress.say(text)
                said = text
        if not is_done():
            time.sleep(POLL_SECONDS)
    return True


def _state(settings: Settings, pid: int) -> str | None:
    """What the process at work says of itself, where it says anything that matters here."""
    try:
        database = Database(settings.journal)
    except LookalikeError:
        return None
    try:
        said = Journal(database).said()
    finally:
        database.close()
    if said is None or said[0] != pid or said[1] in ("watching", "starting"):
        return None
    return said[1]
