"""`open_hub`: all collections of a home, in the embedded store or on a Qdrant server.

Importing this loads neither engine nor client.
"""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Protocol

from shared.settings import Settings
from shared.store.protocol import VectorStore


class Hub(Protocol):
    """All collections of a home. Safe to call from several threads."""

    @property
    def is_shared(self) -> bool:
        """Whether indexers of other homes may write to the same collections: then what this home
        does not know of is not its own to delete."""
        ...

    def collection(
        self, name: str, *, create: bool = False, closes_hub: bool = False
    ) -> VectorStore:
        """The collection `name`, made if it is absent and `create` is set.

        Closing it leaves the hub open unless `closes_hub` is set. Raises `StoreMissing`,
        `StoreBusy`, `StoreAway`, `StoreRefused`.
        """
        ...

    def names(self) -> list[str]:
        """The collections that there are, sorted."""
        ...

    def announce(self, name: str) -> None:
        """Tell others than our own commands that this collection answers from now on."""
        ...

    def announced(self) -> str | None:
        """The collection of which others were told so; None if they were told of none.

        Raises `StoreRefused` if what they were told leads nowhere.
        """
        ...

    def drop(self, name: str) -> None:
        """Delete a whole collection; one that is not there is passed over."""
        ...

    def close(self) -> None:
        """Let go of the store; closing twice is harmless."""
        ...

    def __enter__(self) -> Hub: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_hub(settings: Settings, *, long_lived: bool) -> Hub:
    """The hub that the settings ask for; `long_lived` for commands that stay.

    Raises `StoreBusy` for an embedded store that another command holds on to; `StoreRefused` and,
    for short-lived commands, `StoreAway` for a server.
    """
    if settings.qdrant_urls:
        from shared.store.server.hub import ServerHub

        return ServerHub(settings, long_lived=long_lived)
    from shared.store.opening import StoreHub

    return StoreHub(settings, long_lived=long_lived)


def open_store(
    settings: Settings,
    collection: str,
    *,
    create: bool = False,
    role: Literal["owner", "visitor"] = "visitor",
) -> VectorStore:
    """One collection of the home's store; closing it lets go of the store as a whole.

    `role`: *owner* for long-lived commands, *visitor* for short ones. Raises `StoreMissing` when
    the collection is absent and not to be created, and what `open_hub` raises.
    """
    hub = open_hub(settings, long_lived=role == "owner")
    try:
        return hub.collection(collection, create=create, closes_hub=True)
    except BaseException:
        hub.close()
        raise
