"""One indexer works on a home at a time."""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path
from types import TracebackType

from shared.errors import AlreadyRunning, LookalikeError

PATIENCE_SECONDS = 0.5
"""How long a taken lock is tried: whoever asks `holder` has it for an instant."""


class HomeLock:
    """The indexer's lock on a home, released by the kernel when its process ends in any way."""

    def __init__(self, run: Path, command: str) -> None:
        """Raises `AlreadyRunning` naming the process that holds it, `LookalikeError` if the home
        cannot be written."""
        path = run / "indexer.lock"
        try:
            run.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = path.open("a+")
        except OSError as error:
            raise LookalikeError(
                f"home {run.parent} cannot be written: {error.strerror}"
            ) from error
        if not _acquired(self._file.fileno()):
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise AlreadyRunning(
                f"home {run.parent} is in use by {holder}: stop it first, or let it do the work"
            )
        try:
            self._file.truncate(0)
            self._file.write(f"`{command}` (process {os.getpid()})")
            self._file.flush()
        except OSError as error:
            raise LookalikeError(
                f"home {run.parent} cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Let the next one in."""
        self._file.close()

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _acquired(descriptor: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def is_running(run: Path) -> bool:
    """Whether some process holds the indexer's lock on the home."""
    return holder(run) is not None


def holder(run: Path) -> tuple[str, int] | None:
    """The command line and process id of whoever holds the lock, or None."""
    try:
        with (run / "indexer.lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = re.fullmatch(rb"`(.*)` \(process (\d+)\)", file.read().strip())
                return (found[1].decode(), int(found[2])) if found else ("indexer", 0)
    except OSError:
        return None
    return None
