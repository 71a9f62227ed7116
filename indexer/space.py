"""The free-space mark: the store's engine maps its files, and a full disk would end the process."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable

from indexer.home import Home
from indexer.status_reporter import StatusReporter
from shared.errors import DiskFull
from shared.heartbeat import beat
from shared.settings import Settings

LOOK_SECONDS = 2.0

_log = logging.getLogger(__name__)


def check_space(settings: Settings) -> None:
    """Raise `DiskFull` if the home or its store, which may be a disk of its own, is below the mark.
    Where a server has the points, its disk is its own business.

    Asked before whatever makes the store write: a batch, a deletion, opening, tidying.
    """
    folders = [settings.home] if settings.qdrant_urls else [settings.home, settings.store]
    for folder in folders:
        if not folder.exists():
            continue
        free = shutil.disk_usage(folder).free
        if free < settings.min_free_bytes:
            raise DiskFull(
                f"{folder} has {free >> 20} MiB of free space, less than "
                f"min_free_bytes={settings.min_free_bytes >> 20} MiB: make room"
            )


def wait_for_space(home: Home, wait: Callable[[float], bool]) -> bool:
    """Return True once there is room to open the store, False if `wait` was told to stop."""
    reporter, said = StatusReporter(home.settings.run, home.journal), False
    while True:
        beat(home.settings.run)
        try:
            check_space(home.settings)
        except DiskFull as error:
            if not said:
                _log.warning("paused: disk full: %s", error)
            reporter.report(f"paused: disk full: {error}")
            said = True
        else:
            return True
        if wait(LOOK_SECONDS):
            return False
