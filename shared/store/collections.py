"""All embedded collections of a home, opened on demand by the one process that holds the lock."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

from shared.errors import StoreError
from shared.store.edge.collection import NEW_PREFIX
from shared.store.edge.store import EdgeStore

OLD_PREFIX = ".old-"
"""How a collection is called while it is being removed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class EdgeCollections:
    """One folder below `folder` for each collection. The caller holds the store's lock."""

    def __init__(self, folder: Path, flush_points: int) -> None:
        self._folder = folder
        self._flush_points = flush_points
        self._open: dict[str, EdgeStore] = {}
        self._lock = threading.Lock()
        self._closed = False
        for prefix in (NEW_PREFIX, OLD_PREFIX):  # what a killed process left half made or removed
            for leftover in folder.glob(prefix + "*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def open(self, name: str, *, create: bool = False) -> None:
        """Make sure that the collection can be used, making it if it is absent and `create` is set.

        Raises `StoreMissing` when it is absent.
        """
        self._opened(name, create=create)

    def store(self, name: str) -> EdgeStore:
        """The collection; raises `StoreMissing` when it is absent."""
        return self._opened(name, create=False)

    def _opened(self, name: str, *, create: bool) -> EdgeStore:
        path = self._path(name)
        with self._lock:
            if self._closed:
                raise StoreError(f"store {self._folder} is closed: open it again")
            if name not in self._open:
                self._open[name] = EdgeStore.open(
                    path, create=create, flush_points=self._flush_points
                )
            return self._open[name]

    def names(self) -> list[str]:
        """The collections on disk, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def drop(self, name: str) -> None:
        """Delete a whole collection; one that is not there is passed over."""
        path = self._path(name)
        with self._lock:
            store = self._open.pop(name, None)
            if store is not None:
                store.close()
            aside = path.with_name(OLD_PREFIX + name)
            try:
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
                shutil.rmtree(aside)
            except FileNotFoundError:
                return
            except OSError as error:
                raise StoreError(f"store {path} cannot be removed: {error}") from error

    def close(self) -> None:
        """Close every collection; closing twice is harmless."""
        with self._lock:
            self._closed = True
            while self._open:
                self._open.popitem()[1].close()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"collection name {name!r} cannot be used: letters, digits, '.', '_' and '-' only"
            )
        return self._folder / name
