"""The collections to keep true: that of the current model, and that of the next while it fills."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.drift import fitted_on
from indexer.generations import remove_old_generations
from indexer.journal import Journal
from indexer.pipeline import Target
from indexer.relabel import Pulse, add_labels, has_foreign_labels, keep_only
from shared.encoder import LiteRTEncoder
from shared.models import ENCODER_FILE, Models, Pair
from shared.points import point_id
from shared.store.opening import StoreHub


class Targets:
    """Opens the collections of current and next model, and moves from one to the other.

    Raises `NoModel` or `ModelError` if the models cannot be used, `StoreError` if the store cannot.
    """

    def __init__(self, models: Models, hub: StoreHub, journal: Journal) -> None:
        self._models, self._hub, self._journal = models, hub, journal
        self._pairs: tuple[Pair, Pair | None] = (models.current(), models.next())
        current, following = self._pairs
        self.all: list[Target] = [self._open(current)]
        if following is not None and following.encoder != current.encoder:
            self.all.append(self._open(following))
        for target in self.all:
            self._verify(target)
            journal.owe_lacking(target.collection)
        self._has_foreign_labels = has_foreign_labels(
            self.current.store, journal, self.current.collection, self.current.clustering
        )

    @property
    def current(self) -> Target:
        """The one that answers queries."""
        return self.all[0]

    @property
    def are_stale(self) -> bool:
        """Whether another process trained meanwhile: open the targets anew."""
        return (self._models.current(), self._models.next()) != self._pairs

    @property
    def to_relabel(self) -> int:
        """How many points `relabel` has to look at; 0 when all labels are as they should be."""
        passes = (self._next_generation is not None) * 2 or self._has_foreign_labels
        return passes * self.current.store.count() or int(passes > 0)

    def relabel(self, pulse: Pulse) -> Pair | None:
        """Move to another generation of the same encoder's clusters, without a moment in which a
        search finds less: every point gets its new label beside the old one, then the new pair
        answers, then the old labels go. The pair that became current, or None.

        Nothing may be indexed between its beginning and its end. It may be stopped by `pulse`, or
        killed, at any moment: whoever opens the targets next goes on.
        """
        following = self._next_generation
        store, collection = self.current.store, self.current.collection
        if following is not None:
            clustering = self._models.clustering(following)
            if not add_labels(store, clustering, pulse):
                return None
            store.flush()
            about = self._models.about_clustering(following)
            self._journal.begin_generation(collection, following.generation, fitted_on(about))
            self._models.set_current(following)
            self._pairs = (following, None)
            self.all[0] = Target(self.current.encoder, clustering, store)
            self._has_foreign_labels = True
        if self._has_foreign_labels and keep_only(
            store, self._journal, collection, self.current.clustering, pulse
        ):
            self._has_foreign_labels = False
            remove_old_generations(self._models, self._pairs[0])
        return following

    @property
    def _next_generation(self) -> Pair | None:
        """The next pair if it is a clustering of the current encoder's vectors."""
        current, following = self._pairs
        return following if following and following.encoder == current.encoder else None

    def activate_next(self) -> Pair | None:
        """Make the next model current if its collection is whole, and drop the old collection.

        Returns the pair that became current, or None. Open the targets anew afterwards.
        """
        following = self._pairs[1]
        if following is None or len(self.all) < 2:
            return None
        old, new = self.all
        if self._journal.lacking(old.collection, new.collection):
            return None
        new.store.flush()
        self._models.set_current(following)
        self._hub.drop(old.collection)
        self._journal.drop_collection(old.collection)
        return following

    def drop_leftovers(self) -> None:
        """Delete collections of models that are neither current nor next."""
        wanted = {target.collection for target in self.all}
        for name in set(self._hub.names()) - wanted:
            self._hub.drop(name)
        for name in set(self._journal.collections()) - wanted:
            self._journal.drop_collection(name)

    def tidy(self, stores: Sequence[Target] | None = None) -> None:
        """Lay every collection out for fast search and fast loading."""
        for target in self.all if stores is None else stores:
            target.store.tidy()
            target.store.flush()

    def _open(self, pair: Pair) -> Target:
        bundle = self._models.bundle(pair.encoder)
        encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
        store = self._hub.collection(pair.encoder, create=True)
        return Target(encoder, self._models.clustering(pair), store)

    def _verify(self, target: Target) -> None:
        """Make journal and store agree on which points exist.

        A store whose log was damaged loads short without a word, so the counts are compared at
        every start, and the ids when the counts differ.
        """
        if target.store.count() == self._journal.count_points(target.collection):
            return
        stored = target.store.ids()
        journaled = {
            point_id(point.root, point.path): (point.root, point.path)
            for point in self._journal.points(target.collection)
        }
        self._journal.lose(target.collection, [journaled[key] for key in journaled.keys() - stored])
        target.store.delete(sorted(stored - journaled.keys()))
