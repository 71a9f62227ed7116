"""Decoded pixels that the next epoch wants again: in memory as far as it goes, then in a file."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np

from shared.types import Pixels

ImagePath = str | bytes | os.PathLike[str]

_LEFT_FREE = 2**30
"""Bytes of the disk that the file never touches, besides as many as it takes itself."""


class KeptPixels:
    """Pictures of uint8 (size, size, 3) by their path: the first `memory_bytes` of them in memory,
    further ones in a file below `folder`, which may take half of what the disk has free.

    Without a folder, or once the disk refuses, no more are kept. The file has no name, so nothing
    of it outlives the process. The kernel holds as much of it in memory as nobody else wants.
    """

    def __init__(self, size: int, memory_bytes: int, folder: Path | None = None) -> None:
        self._shape, self._bytes = (size, size, 3), size * size * 3
        self._in_memory: dict[bytes, Pixels] = {}
        self._in_file: dict[bytes, int] = {}
        self._memory_room = memory_bytes // self._bytes
        self._file_room: int | None = None if folder else 0  # None: not yet looked
        self._file_end = 0
        self._folder = folder
        self._descriptor = -1
        self._lock = threading.Lock()

    def at_hand(self, path: ImagePath) -> Pixels | None:
        """What is kept of a path in memory."""
        return self._in_memory.get(os.fsencode(path))

    def find(self, path: ImagePath) -> Pixels | None:
        """What is kept of a path: read-only, or None."""
        key = os.fsencode(path)
        kept = self._in_memory.get(key)
        if kept is not None or key not in self._in_file:
            return kept
        try:
            data = os.pread(self._descriptor, self._bytes, self._in_file[key] * self._bytes)
        except OSError:
            return None
        if len(data) != self._bytes:
            return None
        return np.frombuffer(data, np.uint8).reshape(self._shape)

    def keep(self, path: ImagePath, pixels: Pixels) -> None:
        """Keep a read-only, contiguous picture if there is room. Threads may call at once."""
        key = os.fsencode(path)
        with self._lock:
            if len(self._in_memory) < self._memory_room:
                self._in_memory[key] = pixels
                return
            place = self._next_place()
        if place is None:
            return
        try:
            if os.pwrite(self._descriptor, pixels.data, place * self._bytes) == self._bytes:
                self._in_file[key] = place
        except OSError:
            self._file_room = 0

    def close(self) -> None:
        """Give the disk back; what is in memory can still be found."""
        self._in_file.clear()
        self._file_room = 0
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _next_place(self) -> int | None:
        """Where in the file the next picture goes; with the lock held."""
        if self._file_room is None:
            self._file_room = self._open()
        if self._file_end >= self._file_room:
            return None
        self._file_end += 1
        return self._file_end - 1

    def _open(self) -> int:
        """How many pictures the file has room for."""
        if self._folder is None:
            return 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                self._descriptor = os.dup(file.fileno())
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return 0
        return max(0, free - _LEFT_FREE) // 2 // self._bytes
