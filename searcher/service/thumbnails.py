"""Thumbnails on disk, so that no picture is made small twice; bounded, and shared by processes."""

from __future__ import annotations

import logging
import os
import re
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from shared.errors import QueryError

EDGES = (160, 320, 640)
"""Pixels along the longer side that may be asked for."""

VERSION = 2
"""Raised whenever the same file gives another thumbnail: 2 converts colours to sRGB, and lays
light pictures on a dark ground."""

_HEADER = struct.Struct(">4sII")
_FORMAT = b"LKT%d" % VERSION
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{64}-[0-9]+\.thumbnail")
_BESIDE = re.compile(r"\.[0-9a-f]{16}\.thumbnail-new")
_TOUCH_SECONDS = 3600.0
_ABANDONED_SECONDS = 3600.0
_LOW_WATER = 0.75
_STEPS = 64
"""The folder is listed when a process has written this part of the bound."""

log = logging.getLogger(__name__)


class Thumbnails:
    """A cache of small files below `folder`, at most `max_bytes` of them; the least recently used
    go first.

    Several processes may share it, and may exceed the bound by a 64th of it each. A folder that
    cannot be used, or is full, costs the cache and never an answer. Files of others that lie there
    are left alone. `hits` and `misses` count what was asked of this object. `edges`: the sizes that
    there may be of a picture.
    """

    def __init__(self, folder: Path, max_bytes: int, edges: Sequence[int] = EDGES) -> None:
        self.hits = 0
        self.misses = 0
        self._folder = folder
        self._max_bytes, self._edges = max_bytes, tuple(edges)
        self._room = 0  # bytes that may be written before the folder is listed
        self._lock = threading.Lock()
        self._tidying = threading.Lock()
        self._making: dict[tuple[str, int], Future[bytes]] = {}
        self._told = False

    def get(self, sha256: str, edge: int) -> bytes | None:
        """The thumbnail of the picture with this hash, if it is here and whole.

        Raises `QueryError` unless `sha256` is 64 hexadecimal digits and `edge` one of the edges.
        """
        data = self._read(self._path(sha256, edge))
        with self._lock:
            if data is None:
                self.misses += 1
            else:
                self.hits += 1
        return data

    def put(self, sha256: str, edge: int, data: bytes) -> None:
        """Keep a thumbnail, unless that fails. Raises as `get`."""
        path = self._path(sha256, edge)
        size = _HEADER.size + len(data)
        if size > self._max_bytes:
            return
        with self._lock:
            self._room -= size
            full = self._room < 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if full:
                self._make_room(size)
            self._write(path, _HEADER.pack(_FORMAT, len(data), zlib.crc32(data)) + data)
        except OSError as error:
            self._tell(error)

    def get_or_make(self, sha256: str, edge: int, make: Callable[[], bytes]) -> bytes:
        """The thumbnail, made and kept if it is not here. Threads that ask for one at a time make
        it once and share what `make` returns or raises. Raises as `get` besides."""
        data = self.get(sha256, edge)
        if data is not None:
            return data
        key, mine = (sha256, edge), Future[bytes]()
        with self._lock:
            making = self._making.setdefault(key, mine)
        if making is not mine:
            return making.result()
        try:
            data = self._read(self._path(sha256, edge))  # made since, by another thread
            if data is None:
                data = make()
                self.put(sha256, edge, data)
            mine.set_result(data)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._making[key]
        return data

    def _path(self, sha256: str, edge: int) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise QueryError(f"{sha256[:80]!r} is no SHA-256 in hexadecimal")
        if edge not in self._edges:
            raise QueryError(
                f"no thumbnails of {edge!r} pixels are made: ask for one of {self._edges}"
            )
        return self._folder / f"{sha256}-{edge}.thumbnail"

    def _read(self, path: Path) -> bytes | None:
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                data = file.read()
                age = abs(time.time() - os.fstat(file.fileno()).st_mtime)
            if age > _TOUCH_SECONDS:
                with suppress(OSError):  # gone meanwhile, or another user's
                    os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell(error)
            return None
        return _unpacked(data)

    def _write(self, path: Path, data: bytes) -> None:
        """Complete or absent for who reads; whether it outlives a power cut is of no matter."""
        beside = self._folder / f".{secrets.token_hex(8)}.thumbnail-new"
        try:
            with open(beside, "xb", opener=_for_us_alone) as file:
                file.write(data)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise

    def _make_room(self, wanted: int) -> None:
        """List the folder, and remove the oldest files if `wanted` bytes more may be too many."""
        if not self._tidying.acquire(blocking=False):
            return  # another thread is at it
        try:
            files, total, step = *self._list(), self._max_bytes // _STEPS
            if total + wanted + step > self._max_bytes:
                for _, size, path in sorted(files):
                    if total + wanted <= self._max_bytes * _LOW_WATER:
                        break
                    with suppress(FileNotFoundError):  # another process may be faster
                        os.unlink(path)
                    total -= size
            with self._lock:
                self._room = step - wanted
        finally:
            self._tidying.release()

    def _list(self) -> tuple[list[tuple[float, int, str]], int]:
        """Time of last use, bytes and path of every thumbnail, and their bytes together."""
        found, total = [], 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                whole, beside = _NAME.fullmatch(entry.name), _BESIDE.fullmatch(entry.name)
                if not (whole or beside):
                    continue
                with suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    if whole:
                        found.append((about.st_mtime, about.st_size, entry.path))
                        total += about.st_size
                    elif time.time() - about.st_mtime > _ABANDONED_SECONDS:
                        os.unlink(entry.path)  # a process died while it wrote
        return found, total

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.warning("thumbnails are not kept in %s: %s", self._folder, error.strerror)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _unpacked(data: bytes) -> bytes | None:
    """The thumbnail in a file's bytes; None if they are damaged or of another version."""
    if len(data) < _HEADER.size:
        return None
    form, length, checksum = _HEADER.unpack_from(data)
    thumbnail = data[_HEADER.size :]
    whole = form == _FORMAT and len(thumbnail) == length and zlib.crc32(thumbnail) == checksum
    return thumbnail if whole else None
