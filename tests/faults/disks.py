"""Small disks of their own for tests: mounted, filled, taken away again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.daemons import DEADLINE_SECONDS


@contextlib.contextmanager
def mounted(point: Path, needs_privilege: Callable[[str], None], *options: str) -> Iterator[Path]:
    """`mount OPTIONS POINT`; unmounted at the end, even from under those who still use it."""
    point.mkdir(parents=True, exist_ok=True)
    done = _run("mount", *options, str(point))
    if done.returncode:
        needs_privilege(f"mounting a file system: {done.stderr.strip()}")
    try:
        yield point
    finally:
        _run("umount", "--lazy", str(point))


def tmpfs(mebibytes: int) -> tuple[str, ...]:
    """Options of `mounted` for an empty disk of that size."""
    return ("-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs")


def unmount(point: Path) -> None:
    """Take a disk away from under a running program, which may hold it for an instant."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (done := _run("umount", str(point))).returncode:
        if time.monotonic() > deadline:
            raise AssertionError(done.stderr)
        time.sleep(0.05)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def free_bytes(folder: Path) -> int:
    """Room that is left on the folder's disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave: int = 0, *, rest: float = 0.0) -> Path:
    """Take all room on the folder's disk but `leave` bytes; delete the file to give it back.

    `rest`: seconds after every mebibyte. A disk that loses what lies below the free-space mark
    within one write of the store ends the process, see `docs/daemon.md`; the small marks of tests
    are gone in three milliseconds where nobody rests.
    """
    path = folder / "filler"
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (room := free_bytes(folder) - leave) > 0:
            file.write(bytes(min(room, 2**20)))
            time.sleep(rest)
    return path
