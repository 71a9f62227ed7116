"""Files fetched into the operating system's page cache before they are asked for.

The engine drops from the cache what it has written or closed cold, and maps it without
read-ahead: the first search afterwards fetches 4 KB at a time, and so does the next merge.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CHUNK_BYTES = 2**20
"""Bytes asked for at a time: Linux cuts longer wishes short, at the device's largest read."""


def fetch(path: Path) -> None:
    """Ask for a file to be read in the background; the process's own memory does not grow.

    Only a hint: a file that has gone meanwhile is passed over, and so is everything on systems
    without `posix_fadvise`.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            _fetch(path)


def _fetch(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for start in range(0, os.fstat(descriptor).st_size, CHUNK_BYTES):
            os.posix_fadvise(descriptor, start, CHUNK_BYTES, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)
