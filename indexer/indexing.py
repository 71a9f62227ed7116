"""`Indexing`: a home being indexed. What `scan` and `watch` share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from indexer.follower import Follower
from indexer.forgetting import delete_points
from indexer.handover import Handover
from indexer.home import Home
from indexer.journal import File
from indexer.leader import Leader
from indexer.newly_readable import owe_newly_readable
from indexer.partition import WHOLE
from indexer.pipeline import Pipeline, Tally
from indexer.roots import Root
from indexer.scan import Reconciled, Scanner
from indexer.settling import Settling
from indexer.space import check_space
from indexer.targets import Targets
from indexer.verifying import holds_as_many, make_agree, owe_lost
from shared.decoding.pool import DecodingPool
from shared.heartbeat import beat
from shared.models import Pair
from shared.reading import Limits
from shared.store.hub import open_hub

_PAGE = 128
"""Owed files taken from the journal at a time: what a stop still waits for."""


class Indexing:
    """One home being indexed: models, store, decoders and pipeline on top of a `Home`.

    `stays`: hear at once of a server that is away, as daemons do, which have a back-off of their
    own; others try each request for `qdrant_wait_seconds`.
    """

    def __init__(self, home: Home, *, stays: bool = False) -> None:
        """Raises `NoModel`, `ModelError`, `StoreError`, `DiskFull`."""
        self.home, self.settings, self.journal = home, home.settings, home.journal
        self._stays = stays
        self.settling = Settling(self.settings.settle_seconds)
        self.scanner = Scanner(
            home.journal, home.roots, self.settling, settle_seconds=self.settings.settle_seconds
        )
        self.tally = Tally()
        self._stack = contextlib.ExitStack()
        # Who indexes always owns the embedded store, so that queries go on meanwhile.
        self._hub = open_hub(self.settings, long_lived=stays or not self.settings.qdrant_urls)
        self._stack.callback(self._hub.close)
        self._pool: DecodingPool | None = None
        try:
            self.open_targets()
        except BaseException:
            self.close()
            raise

    def open_targets(self) -> None:
        """(Re)open what the models ask for: collections, encoders, decoders for their geometry.

        Raises `NoModel`, `ModelError`, `StoreError`, `DiskFull`.
        """
        self.check_space()
        owe_newly_readable(self.settings.home, self.journal)
        targets = Targets(self.home.models, self._hub, threads=self.settings.workers)
        self._agree(targets)
        role = self._new_role(targets)
        role.begin()
        self.targets, self.role = targets, role  # all or nothing: a store may go away meanwhile
        if self._pool is not None:
            self._pool.close()
        self._pool = DecodingPool(
            [target.encoder.spec for target in self.targets.all],
            Limits(self.settings.max_pixels, self.settings.max_file_bytes),
            workers=self.settings.workers,
            timeout_seconds=self.settings.decode_timeout_seconds,
        )
        self._pipeline = Pipeline(
            self.targets.all,
            self.journal,
            self._pool,
            batch_size=self.settings.batch_size,
            before_batch=self.check_space,
        )
        self._pipeline.tally = self.tally

    def _agree(self, targets: Targets) -> None:
        """Have the journal know of every collection what is ours and there, and owe what lacks."""
        roots = self.home.roots.all()
        handover = Handover(
            self.journal,
            self.home.parts,
            {root.id: self.home.chooser(root) for root in roots},
            self.home.partition,
            self._pulse,
        )
        for target in targets.all:
            name, store = target.collection, target.store
            if not self._hub.is_shared:
                make_agree(store, self.journal, name)
            else:
                handover.carry_out(name, store)
                is_alone = self.home.partition == WHOLE
                if not (is_alone and holds_as_many(store, self.journal, name, roots)):
                    owe_lost(store, self.journal, name, self._pulse)
            self.journal.owe_lacking(name)

    def _new_role(self, targets: Targets) -> Leader | Follower:
        models = self.home.models
        if self._hub.is_shared and not self.home.partition.leads:
            return Follower(models, self.journal, targets)
        grace = self.settings.upgrade_grace_seconds
        return Leader(models, self._hub, self.journal, targets, self._pulse, grace)

    def _pulse(self) -> None:
        """Long looks at the store are no standstill."""
        if self._stays:
            beat(self.settings.run)

    def close(self) -> None:
        """Stop the decoders and let go of the store."""
        if self._pool is not None:
            self._pool.close()
        self._stack.close()

    def reconcile(self, root: Root) -> Reconciled:
        """Compare one root with the journal; delete what is surely gone. Raises `DiskFull`."""
        self.check_space()
        stores = [target.store for target in self.targets.all]
        return self.scanner.reconcile(root, self.home.chooser(root), stores)

    def settle(self) -> None:
        """Owe the files that have rested meanwhile."""
        rested = self.settling.rested(self.folders())
        if rested:
            self.journal.owe(rested)

    def work(
        self,
        stop: Callable[[], bool],
        report: Callable[[int], None],
        pause: Callable[[], bool] = lambda: False,
    ) -> int:
        """Index owed files until there are none; how many left the backlog.

        `report` is told of every batch how many files it finished. `pause` ends the work once all
        that is under way is done, `stop` at once: what is under way stays owed.
        """
        before = self.tally.finished
        pages = self._owed(lambda: stop() or pause())
        self._pipeline.run(pages, self.folders(), report, stop)
        return self.tally.finished - before

    def relabel(self, stop: Callable[[], bool], report: Callable[[int], None]) -> Pair | None:
        """Move to the next generation of clusters if one waits; the pair that became current.

        `report` is told how many more of `role.to_relabel` points were looked at. Raises
        `StoreError`, `DiskFull`; begun again, it goes on.
        """

        def pulse(points: int) -> bool:
            report(points)
            self.check_space()
            return stop()

        try:
            return self.role.relabel(pulse) if self.role.to_relabel else None
        finally:
            self._pipeline.retarget(self.targets.all)

    @property
    def backlog(self) -> int:
        """Files that are owed or not at rest."""
        counts = self.journal.counts()
        return counts["owed"] + max(counts["unsettled"], len(self.settling))

    def activate_next(self) -> Pair | None:
        """Let the next model answer once its collection is whole; the pair, if it was."""
        pair = self.role.activate_next()
        if pair is not None:
            self.open_targets()
        return pair

    def tidy(self) -> None:
        """Lay every collection out for fast search and fast loading. Raises `DiskFull`."""
        self.check_space()
        self.targets.tidy()

    def forget(self, root: Root) -> None:
        """Remove a root with its points. Raises `DiskFull`."""
        self.check_space()
        collections = [(target.collection, target.store) for target in self.targets.all]
        delete_points(collections, self.journal, root.id, self.home.partition)
        self.home.roots.drop(root.id)
        self.home.publish_roots()

    def folders(self) -> dict[str, bytes]:
        """The folder of every root."""
        return {root.id: root.folder for root in self.home.roots.all()}

    def _owed(self, stop: Callable[[], bool]) -> Iterator[list[File]]:
        root, path = "", b""
        while not stop() and (page := self.journal.owed_after(root, path, _PAGE)):
            yield page
            root, path = page[-1].root, page[-1].path

    def check_space(self) -> None:
        """Raise `DiskFull` below the free-space mark: ask before the store must write."""
        check_space(self.settings)
