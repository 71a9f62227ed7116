"""`indexer migrate`: a home's points from its embedded store to a Qdrant server, or back.

The home's journal stays as it is, for it knows points by path and not by place. Nothing is deleted
at the source. Which store the home uses is for `indexer.moving.switching`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from indexer.home import Home
from indexer.moving.copying import Copied, copy_differing
from indexer.moving.own import OwnPoints, id_pages
from indexer.moving.sampling import Sampler, compare_vectors
from indexer.space import check_space
from shared.errors import LookalikeError, SettingsError, StoreError
from shared.settings import Settings
from shared.store.hub import Hub
from shared.store.protocol import VectorStore
from shared.types import Progress

PASSES = 3
"""Who writes to the source meanwhile has the points compared once more, but not for ever."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How one collection arrived, verified.

    `points` arrived, `written` of them now and the rest before; `absent`: known to the journal, and
    lost by the source. `extra`: what the target holds besides, after `pruned` of it were deleted.
    `sampled` vectors were compared, the least alike with cosine `lowest`.
    """

    collection: str
    points: int
    written: int
    absent: int
    extra: int
    pruned: int
    sampled: int
    lowest: float


@contextlib.contextmanager
def both_hubs(settings: Settings, *, reverse: bool) -> Iterator[tuple[Hub, Hub]]:
    """Source and target. The embedded store is opened as its owner, so that it goes on answering.

    Raises `SettingsError` without a server, `LookalikeError` without anything to migrate,
    `StoreBusy`, `StoreAway`, `StoreRefused`.
    """
    if not settings.qdrant_urls:
        raise SettingsError("no Qdrant server is named: give --to URL or the setting qdrant_url")
    if not reverse and not settings.store.is_dir():
        raise LookalikeError(
            f"nothing to migrate: the embedded store {settings.store} does not exist"
        )
    from shared.store.opening import StoreHub
    from shared.store.server.hub import ServerHub

    with (
        ServerHub(settings, long_lived=False) as server,
        StoreHub(settings, long_lived=True) as embedded,
    ):
        yield (server, embedded) if reverse else (embedded, server)


def migrate(
    home: Home,
    source: Hub,
    target: Hub,
    progress: Progress,
    stop: Callable[[], bool],
    *,
    prune: bool = False,
    seed: int = 0,
) -> list[Moved] | None:
    """Copy the collections of the current and the next model and verify them; None if stopped.

    `prune`: delete what an embedded target holds besides. Begun again after whatever cut it off, it
    goes on. Raises `NoModel`, `StoreError`, `DiskFull`, and `LookalikeError` if there is nothing.
    """
    current = home.models.current().encoder
    following = home.models.next()
    there = set(source.names())
    if current not in there:
        raise LookalikeError(
            f"nothing to migrate: the store holds no collection of encoder {current}"
        )
    wanted = [current]
    if following is not None and following.encoder in there - {current}:
        wanted.append(following.encoder)
    done = []
    for name in wanted:
        move = _Move(home, source, target, name, progress, stop)
        moved = move.run(prune, seed)
        if moved is None:
            return None
        done.append(moved)
    target.announce(current)
    return done


class _Move:
    """One collection on its way."""

    def __init__(
        self,
        home: Home,
        source: Hub,
        target: Hub,
        name: str,
        progress: Progress,
        stop: Callable[[], bool],
    ) -> None:
        self._home, self._name = home, name
        self._own = OwnPoints(source, name, home.journal)
        self._to_embedded = not target.is_shared
        self._target = target.collection(name, create=True)
        self._progress, self._stop = progress, stop

    def run(self, prune: bool, seed: int) -> Moved | None:
        """Pass after pass until one finds everything there, then a look at some vectors."""
        first = self._pass("copying", Sampler(seed))
        for _ in range(PASSES):
            sampler = Sampler(seed)
            if first.stopped or (last := self._pass("comparing", sampler)).stopped:
                return None
            if not last.written:
                break
        else:
            raise StoreError(f"the source of {self._name} goes on changing: stop what writes to it")
        sampled, lowest = compare_vectors(sampler.ids, self._own.store, self._target)
        pruned = self._prune() if prune and self._to_embedded else 0
        extra = self._target.count() - last.points
        if extra < 0:
            raise StoreError(f"{-extra:,} points of {self._name} are missing from the target")
        self._target.tidy()
        self._target.flush()
        return Moved(
            self._name, last.points, first.written, last.absent, extra, pruned, sampled, lowest
        )

    def _pass(self, what: str, sampler: Sampler) -> Copied:
        with self._progress.stage(what, self._own.count()) as stage:

            def pulse(points: int) -> bool:
                stage.advance(points)
                if self._to_embedded:
                    check_space(self._home.settings)
                return self._stop()

            return copy_differing(
                sampler.watch(self._own.pages()), self._own.store, self._target, pulse
            )

    def _prune(self) -> int:
        """Delete what the target holds besides this home's points; how many."""
        return _delete_others(self._target, {key for page in self._own.pages() for key in page})


def _delete_others(store: VectorStore, kept: set[str]) -> int:
    deleted = 0
    for page in id_pages(store):
        others = [key for key in page if key not in kept]
        if others:
            store.delete(others)
        deleted += len(others)
    return deleted
