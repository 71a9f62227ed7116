"""File system events as hints. Events may be lost or lie; only the disk itself is believed."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from indexer.hints import Hints

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]
"""Not the opening and closing of files for reading: those would be our own."""

RETRY_SECONDS = 60.0
"""How often watching is tried again after the system's limit of watches was reached."""

_log = logging.getLogger(__name__)


class Watcher:
    """Watches roots and turns their events into hints. `stop` ends all threads."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._observer: BaseObserver = Observer()
        self._observer.start()
        self._watches: dict[str, tuple[ObservedWatch, tuple[int, int]]] = {}
        self._retry_at: dict[str, float] = {}
        self._complaints = _Complaints(self)
        logging.getLogger("watchdog").addHandler(self._complaints)

    def tend(self, root: str, folder: bytes) -> bool:
        """Watch a root, or watch it anew if it was replaced; whether its events arrive.

        False means: the root is missing, or the system's limit of watches is reached.
        """
        identity = _identity(folder)
        known = self._watches.get(root)
        if known is not None and known[1] == identity:
            return True
        self.forget(root)
        if identity is None or time.monotonic() < self._retry_at.get(root, 0):
            return False
        try:
            watch = self._observer.schedule(
                _Handler(root, folder, self._hints),
                os.fsdecode(folder),
                recursive=True,
                event_filter=_EVENTS,
            )
        except OSError as error:
            if root not in self._retry_at:
                _log.warning("cannot watch %s: %s; listing it at intervals", folder, error)
            self._retry_at[root] = time.monotonic() + RETRY_SECONDS
            return False
        self._retry_at.pop(root, None)
        self._watches[root] = watch, identity
        self._hints.list_again(root)
        return True

    def forget(self, root: str) -> None:
        """Stop watching a root."""
        watch = self._watches.pop(root, None)
        if watch is not None:
            with suppress(KeyError, OSError):
                self._observer.unschedule(watch[0])

    def lost_events(self) -> None:
        """Events were lost: every root must be listed."""
        for root in list(self._watches):
            self._hints.list_again(root)

    def stop(self) -> None:
        """End every thread of the watch."""
        logging.getLogger("watchdog").removeHandler(self._complaints)
        self._observer.stop()
        self._observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(self, root: str, folder: bytes, hints: Hints) -> None:
        self._root, self._prefix, self._hints = root, folder.rstrip(b"/") + b"/", hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory or isinstance(event, FileDeletedEvent | FileMovedEvent):
            self._hints.list_again(self._root)
        if not event.is_directory and not isinstance(event, FileDeletedEvent):
            path = os.fsencode(event.dest_path or event.src_path)
            if path.startswith(self._prefix):
                self._hints.look_at(self._root, path[len(self._prefix) :])


class _Complaints(logging.Handler):
    """watchdog tells of an overflowing kernel queue only in its log."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(logging.WARNING)
        self._watcher = watcher

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - any complaint counts
        self._watcher.lost_events()


def _identity(folder: bytes) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
