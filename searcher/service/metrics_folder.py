"""The folder in which workers keep their metrics, so that each can tell the totals of all.

prometheus_client reads its name from the environment when a worker imports it, and keeps one set of
files a process. Counters of dead workers stay: a total never falls. What they held open ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared.store.sharing import private_folder

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "metrics-"
_GAUGES = "gauge_livesum_"
_SUFFIX = ".db"


@contextlib.contextmanager
def metrics_folder(run: Path) -> Iterator[Path]:
    """A fresh folder below `run`, mode 0700, named to processes that are started meanwhile.

    It is removed at the end. One that a killed service left behind is removed by the next.
    """
    private_folder(run)
    _sweep(run)
    folder, lock = _locked(run)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def workers(folder: Path) -> list[int]:
    """Process ids of the workers that live."""
    names = (path.name for path in folder.glob(f"{_GAUGES}*{_SUFFIX}"))
    return sorted(int(name.removeprefix(_GAUGES).removesuffix(_SUFFIX)) for name in names)


def forget(folder: Path, worker: int) -> None:
    """A worker is dead: nothing of it is at work or open any more."""
    (folder / f"{_GAUGES}{worker}{_SUFFIX}").unlink(missing_ok=True)


def _locked(run: Path) -> tuple[Path, int]:
    """A new folder with a lock on it, by which others see that it is in use."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=run))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # else another service that starts took it for a dead one's
            return folder, lock
        os.close(lock)


def _sweep(run: Path) -> None:
    for folder in run.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
