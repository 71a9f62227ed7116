"""Who may open the embedded store of a home: one process at a time, the holder of a lock file.

The lock covers all collections of the home. The kernel lets go of it when the holder dies, however
it dies. The file's content tells others who holds it and where the holder listens.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from shared.errors import StoreError

LOCK_NAME = "store.lock"
SOCKET_NAME = "store.sock"
SEARCH_SOCKET_NAME = "search.sock"
"""Where the search service of the home listens."""
MAX_SOCKET_PATH_BYTES = 100
"""The kernel's limit is 104 to 108 bytes, depending on the system."""


class StoreLock:
    """The exclusive right to open a home's collections, until `release` or the process's end."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def acquire(cls, run: Path) -> StoreLock | None:
        """Take the lock in the folder `run`, made if need be; None when another holds it."""
        private_folder(run)
        path = run / LOCK_NAME
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"lock file {path} cannot be opened: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError as error:
            os.close(file)
            raise StoreError(f"lock file {path} cannot be locked: {error}") from error
        lock = cls(file)
        try:
            lock.announce(None)
        except StoreError:
            lock.release()
            raise
        return lock

    def announce(self, socket_path: Path | None) -> None:
        """Write who holds the lock and, for an owner, where it listens."""
        command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:2]])
        socket_text = None if socket_path is None else str(socket_path)
        content = json.dumps({"pid": os.getpid(), "command": command, "socket": socket_text})
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, content.encode(), 0)
        except OSError as error:
            raise StoreError(f"lock file of the store cannot be written: {error}") from error

    def release(self) -> None:
        """Let another process take the lock; releasing twice is harmless."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def holder(run: Path) -> dict[str, Any]:
    """What the last holder announced: `pid`, `command` and `socket`; empty when nobody did."""
    try:
        content = json.loads((run / LOCK_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def socket_path(run: Path, name: str = SOCKET_NAME) -> Path:
    """Where the owner of a home's store listens, or who else has a socket of that `name`: in `run`,
    or where that path would be too long, in the user's runtime directory or a private folder of the
    temporary directory.
    """
    path = run / name
    if _short_enough(path):
        return path
    import hashlib
    import tempfile
    import warnings

    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an odd runtime directory: it is checked below
        runtime = user_runtime_path("lookalike", appauthor=False)
    digest = hashlib.sha256(os.path.realpath(os.fsencode(run))).hexdigest()[:16]
    short = f"{digest}-{name}"
    for folder in (runtime, Path(tempfile.gettempdir()) / f"lookalike-{os.getuid()}"):
        if _short_enough(folder / short):
            with contextlib.suppress(StoreError):
                private_folder(folder)
                return folder / short
    raise StoreError(f"socket path {path} is too long: choose a --home with a shorter path")


def private_folder(path: Path) -> None:
    """Make sure that `path` is a folder of this user that nobody else can enter (mode 0700)."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise StoreError(f"folder {path} belongs to somebody else: remove it or its link")
        if stat.S_IMODE(status.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise StoreError(f"folder {path} cannot be used: {error}") from error


def _short_enough(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
