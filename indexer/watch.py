"""File system events as hints. Events may be lost or lie; only the disk itself is believed."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
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
from indexer.identity import FolderIdentity, folder_identity
from indexer.limit import LimitProbe

_EVENTS: list[type[FileSystemEvent]] = [
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
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
        self._observer = _started()
        self._watches: dict[str, tuple[ObservedWatch, FolderIdentity]] = {}
        self._retry_at: dict[str, float] = {}
        self._probe = LimitProbe()
        self._lacking: set[str] = set()
        self._deleted: set[str] = set()
        self._is_deaf = False
        self._next_hook, threading.excepthook = threading.excepthook, self._note_crash
        self._complaints = _Complaints(self)
        logging.getLogger("watchdog").addHandler(self._complaints)

    def tend(self, root: str, folder: bytes) -> bool:
        """Watch a root, or watch it anew if it was replaced; whether its events arrive.

        False means: the root is missing, or the system's limit of watches is reached.
        """
        if self._is_deaf:
            self._listen_anew()
        identity = _identity(folder)
        known = self._watches.get(root)
        if known is not None and known[1].is_same(identity):
            if root not in self._lacking:
                return True
            if time.monotonic() < self._retry_at.get(root, 0):
                return False
        self.forget(root)
        if identity is None or time.monotonic() < self._retry_at.get(root, 0):
            return False
        try:
            watch = self._observer.schedule(
                _Handler(root, folder, self._hints, self),
                os.fsdecode(folder),
                recursive=True,
                event_filter=_EVENTS,
            )
        except OSError as error:
            if root not in self._retry_at:
                _log.warning("cannot watch %s: %s; listing it at intervals", folder, error)
            self._retry_at[root] = time.monotonic() + RETRY_SECONDS
            return False
        self._watches[root] = watch, identity
        self._hints.list_again(root)
        self._retry_at.pop(root, None)
        self._lacking.discard(root)
        self.check_limit(root, folder)
        return root not in self._lacking

    def check_limit(self, root: str, folder: bytes) -> None:
        """Notice that the limit of watches is reached: watchdog passes over subfolders then."""
        if not self._probe.is_reached(folder):
            return
        if root not in self._lacking:
            _log.warning("cannot watch all of %s: the limit of watches is reached", root)
            self._lacking.add(root)
        self._retry_at[root] = time.monotonic() + RETRY_SECONDS

    def forget(self, root: str) -> None:
        """Stop watching a root."""
        watch = self._watches.pop(root, None)
        if watch is not None:
            with suppress(KeyError, OSError):
                self._observer.unschedule(watch[0])

    def take_deleted(self) -> set[str]:
        """Roots whose folder was deleted since the last call; their watch ended with it.

        Where inodes are given away again uncounted, only this event tells of a replacement.
        """
        deleted = {self._deleted.pop() for _ in range(len(self._deleted))}
        for root in deleted:
            self.forget(root)
        return deleted

    def folder_deleted(self, root: str) -> None:
        """A root's folder was deleted."""
        self._deleted.add(root)
        self._hints.list_again(root)

    def lost_events(self) -> None:
        """Events were lost: every root must be listed."""
        for root in list(self._watches):
            self._hints.list_again(root)

    def stop(self) -> None:
        """End every thread of the watch."""
        logging.getLogger("watchdog").removeHandler(self._complaints)
        threading.excepthook = self._next_hook
        self._observer.stop()
        self._observer.join()
        self._probe.close()

    def _note_crash(self, crash: threading.ExceptHookArgs) -> None:
        """A thread of watchdog that crashes hears nothing any more, and tells nobody."""
        if type(crash.thread).__module__.startswith("watchdog"):
            self._is_deaf = True
            self._hints.wake()
        self._next_hook(crash)

    def _listen_anew(self) -> None:
        _log.warning("the watch of the folders crashed: watching them anew")
        self._is_deaf = False
        self._observer.stop()
        self._observer.join()
        self._observer = _started()
        self._watches.clear()


def _started() -> BaseObserver:
    observer = Observer()
    observer.start()
    return observer


class _Handler(FileSystemEventHandler):
    def __init__(self, root: str, folder: bytes, hints: Hints, watcher: Watcher) -> None:
        self._root, self._folder, self._hints, self._watcher = root, folder, hints, watcher
        self._prefix = folder.rstrip(b"/") + b"/"

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirDeletedEvent) and os.fsencode(event.src_path) == self._folder:
            self._watcher.folder_deleted(self._root)
        if isinstance(event, DirCreatedEvent | DirMovedEvent):
            self._watcher.check_limit(self._root, self._folder)
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


def _identity(folder: bytes) -> FolderIdentity | None:
    try:
        return folder_identity(folder)
    except OSError:
        return None
