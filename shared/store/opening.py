"""How commands reach the embedded store of a home; importing this loads no engine.

Long-lived commands own the embedded store, or are clients of the one that does and take over when
it dies. Short commands are clients too, or open the store themselves when nobody owns it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from shared.errors import StoreBusy, StoreError, StoreMissing
from shared.settings import Settings
from shared.store.client import LinkLost, RemoteCollections
from shared.store.protocol import VectorStore
from shared.store.sharing import StoreLock, holder, socket_path
from shared.store.view import SharedStore

if TYPE_CHECKING:
    from shared.store.collections import EdgeCollections
    from shared.store.serving import StoreServer

    Collections: TypeAlias = EdgeCollections | RemoteCollections

RETRY_SECONDS = 0.02

Result = TypeVar("Result")


class StoreHub:
    """All collections of a home, whoever owns them. Safe to call from several threads.

    A long-lived hub decides at once whether it owns the store or is a client; a short-lived one
    touches nothing until it is asked. Both do it again when the owner they talked to goes away.
    """

    def __init__(self, settings: Settings, *, long_lived: bool) -> None:
        self._settings = settings
        self._long_lived = long_lived
        self._backend: _Backend | None = None
        self._closed = False
        self._lock = threading.RLock()
        if long_lived:
            self._connected()

    @property
    def is_owner(self) -> bool:
        """Whether this process has the store open itself."""
        return self._backend is not None and self._backend.lock is not None

    @property
    def is_shared(self) -> bool:
        """Whether indexers of other homes may write here, too: never."""
        return False

    def collection(
        self, name: str, *, create: bool = False, closes_hub: bool = False
    ) -> VectorStore:
        """The collection `name`, made if it is absent and `create` is set.

        Closing it leaves the hub open unless `closes_hub` is set. Raises `StoreMissing`,
        `StoreBusy`.
        """
        if not create and not self._may_exist():
            raise StoreMissing(
                f"store {self._settings.store} does not exist: run `indexer scan` to build it"
            )
        self.run(lambda collections: collections.open(name, create=create))
        return SharedStore(self, name, closes_hub=closes_hub)

    def names(self) -> list[str]:
        """The collections on disk, sorted."""
        if not self._may_exist():
            return []
        return self.run(lambda collections: collections.names())

    def announce(self, name: str) -> None:
        """Nobody but the home's own commands reads an embedded store: nothing to do."""

    def announced(self) -> str | None:
        """None: see `announce`."""
        return None

    def drop(self, name: str) -> None:
        """Delete a whole collection; one that is not there is passed over."""
        if self._may_exist():
            self.run(lambda collections: collections.drop(name))

    def run(self, operation: Callable[[Collections], Result]) -> Result:
        """Carry out an idempotent operation, again when the owner dies meanwhile."""
        deadline = None
        while True:
            backend = self._connected()
            try:
                return operation(backend.collections)
            except LinkLost:
                self._forget(backend)
                now = time.monotonic()
                deadline = deadline or now + self._settings.store_wait_seconds
                if now > deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Let go of the store, so that another process can have it; closing twice is harmless."""
        with self._lock:
            self._closed = True
            if self._backend is not None:
                self._backend.close()
                self._backend = None

    def __enter__(self) -> StoreHub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _may_exist(self) -> bool:
        """A home without a store is left as it is by those who only ask."""
        return self._backend is not None or self._settings.store.is_dir()

    def _connected(self) -> _Backend:
        with self._lock:
            if self._closed:
                raise StoreError(f"store {self._settings.store} is closed: open it again")
            if self._backend is None:
                self._backend = self._elect()
            return self._backend

    def _forget(self, backend: _Backend) -> None:
        with self._lock:
            backend.close()
            if self._backend is backend:
                self._backend = None

    def _elect(self) -> _Backend:
        """Become the owner's client, or the owner where there is none; wait for visitors to end."""
        run = self._settings.run
        deadline = time.monotonic() + self._settings.store_wait_seconds
        while True:
            found = holder(run)
            if found.get("socket"):
                client = RemoteCollections.connect(found["socket"])
                if client is not None:
                    return _Backend(client)
            lock = StoreLock.acquire(run)
            if lock is not None:
                return self._own(lock)
            if time.monotonic() >= deadline:
                raise StoreBusy(
                    f"store {self._settings.store} is held by process {found.get('pid')} "
                    f"({found.get('command')}): stop it or wait, then try again"
                )
            time.sleep(RETRY_SECONDS)

    def _own(self, lock: StoreLock) -> _Backend:
        from shared.store.collections import EdgeCollections

        collections = EdgeCollections(self._settings.store, self._settings.flush_points)
        backend = _Backend(collections, lock)
        try:
            if self._long_lived:
                from shared.store.serving import StoreServer

                path = socket_path(self._settings.run)
                backend.server = StoreServer(collections, path)
                lock.announce(path)
        except BaseException:
            backend.close()
            raise
        return backend


@dataclass(slots=True)
class _Backend:
    """How a hub reaches the store: a connection, or the store itself with its lock."""

    collections: Collections
    lock: StoreLock | None = None
    server: StoreServer | None = None

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        self.collections.close()
        if self.lock is not None:
            self.lock.release()
