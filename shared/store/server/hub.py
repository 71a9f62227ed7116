"""`ServerHub`: all collections of a home on a Qdrant server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from qdrant_client import QdrantClient, models

from shared.errors import StoreError, StoreMissing, StoreRefused
from shared.settings import Settings
from shared.store.protocol import VectorStore
from shared.store.server.calls import Calls, Patience
from shared.store.server.client import nodes
from shared.store.server.faults import AlreadyThere
from shared.store.server.plan import INDEXES, Plan, differences, missing_indexes
from shared.store.server.store import ServerStore

LOOKS = 10
LOOK_SECONDS = 0.2
"""A node may hear of an index a moment after it hears of the points."""

Result = TypeVar("Result")


class ServerHub:
    """All collections of a home on a server. Safe to call from several threads.

    Nothing is sent before something is asked. A short-lived hub waits for a server that does not
    answer; a long-lived one raises `StoreAway` each time, for whoever uses it to wait. What only
    reads works with a read-only key. Collections are called after the prefix of the settings and
    the name; the prefix alone is the alias of the one that answers.
    """

    def __init__(self, settings: Settings, *, long_lived: bool) -> None:
        self._prefix = settings.qdrant_prefix
        self._plan = Plan.of(settings)
        self._calls = Calls(nodes(settings), Patience.of(settings, long_lived=long_lived))
        self._closed = False

    @property
    def is_shared(self) -> bool:
        """Whether indexers of other homes may write here, too: always."""
        return True

    def collection(
        self, name: str, *, create: bool = False, closes_hub: bool = False
    ) -> VectorStore:
        """The collection `name`, made if it is absent and `create` is set.

        Closing it leaves the hub open unless `closes_hub` is set. Raises `StoreMissing`,
        `StoreAway`, and `StoreRefused` when somebody made it so that it cannot be used.
        """
        full = self._full(name)
        if create:
            self._make(full)
        self._check(full)
        close = self.close if closes_hub else (lambda: None)
        return ServerStore(self._calls, full, on_close=close)

    def names(self) -> list[str]:
        """The collections of this prefix, sorted, without it."""
        start = self._full("")
        return sorted(full.removeprefix(start) for full in self._all() if full.startswith(start))

    def announce(self, name: str) -> None:
        """Have the alias point to this collection from now on; no request ever finds none.

        Raises `StoreMissing`, and `StoreRefused` when the alias is somebody else's or its name is
        taken.
        """
        full, everything = self._full(name), self._all()
        self._refuse_namesake(everything)
        if full not in everything:
            raise StoreMissing(f"collection {full} at {self._calls.url} does not exist: build it")
        steps: list[models.AliasOperations] = []
        target = self._target()
        if target is not None:
            if not target.startswith(self._full("")):
                raise self._unusable_alias(target, "is not ours")
            gone = models.DeleteAlias(alias_name=self._prefix)
            steps.append(models.DeleteAliasOperation(delete_alias=gone))
        new = models.CreateAlias(collection_name=full, alias_name=self._prefix)
        steps.append(models.CreateAliasOperation(create_alias=new))
        self._switch(steps)

    def announced(self) -> str | None:
        """The collection that the alias points to; None where nothing has been announced.

        Raises `StoreRefused` when the alias points nowhere or to what is not ours, or when a
        collection has its name.
        """
        everything = self._all()
        self._refuse_namesake(everything)
        target = self._target()
        if target is None:
            return None
        start = self._full("")
        if not target.startswith(start) or target not in everything:
            why = "does not exist" if target.startswith(start) else "is not ours"
            raise self._unusable_alias(target, why)
        return target.removeprefix(start)

    def drop(self, name: str) -> None:
        """Delete a whole collection; one that is not there is passed over."""
        full = self._full(name)
        with suppress(StoreMissing):
            self._run(lambda client: client.delete_collection(full))

    def close(self) -> None:
        """Let go of the server; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._calls.close()

    def __enter__(self) -> ServerHub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make(self, full: str) -> None:
        """Make the collection and its indexes, or what of them is not there: several indexers may
        do so at once, and none writes a point before it has seen all indexes."""
        if not self._run(lambda client: client.collection_exists(full)):
            with suppress(AlreadyThere):
                arguments = self._plan.arguments()
                self._run(lambda client: client.create_collection(full, **arguments))
        info = self._info(full)
        if not info.points_count and not differences(info):
            for field in missing_indexes(info):
                self._index(full, field)

    def _index(self, full: str, field: str) -> None:
        with suppress(AlreadyThere):
            self._run(lambda client: client.create_payload_index(full, field, INDEXES[field]))

    def _check(self, full: str) -> None:
        """Refuse a collection that was made for something else."""
        for look in range(LOOKS):
            info = self._info(full)
            found = differences(info)
            lacking = missing_indexes(info) if info.points_count else []
            if found or not lacking or look == LOOKS - 1:
                break
            time.sleep(LOOK_SECONDS)
        found += [f"{field} has no index, must have one" for field in lacking]
        if found:
            raise StoreRefused(
                f"collection {full} at {self._calls.url} was made for something else: "
                f"{'; '.join(found)}: set another qdrant_prefix, or delete it"
            )

    def _info(self, full: str) -> models.CollectionInfo:
        return self._run(lambda client: client.get_collection(full))

    def _all(self) -> list[str]:
        answer = self._run(lambda client: client.get_collections())
        return [collection.name for collection in answer.collections]

    def _target(self) -> str | None:
        aliases = self._run(lambda client: client.get_aliases()).aliases
        return next(
            (one.collection_name for one in aliases if one.alias_name == self._prefix), None
        )

    def _switch(self, steps: Sequence[models.AliasOperations]) -> None:
        self._run(lambda client: client.update_collection_aliases(steps))

    def _refuse_namesake(self, everything: Sequence[str]) -> None:
        if self._prefix in everything:
            raise StoreRefused(
                f"a collection at {self._calls.url} is called {self._prefix}, as the alias must "
                "be: set another qdrant_prefix"
            )

    def _unusable_alias(self, target: str, why: str) -> StoreRefused:
        return StoreRefused(
            f"alias {self._prefix} at {self._calls.url} points to {target}, which {why}: "
            "delete the alias, or set another qdrant_prefix"
        )

    def _full(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _run(self, request: Callable[[QdrantClient], Result]) -> Result:
        if self._closed:
            raise StoreError(f"store at {self._calls.url} is closed: open it again")
        return self._calls.run(request)
