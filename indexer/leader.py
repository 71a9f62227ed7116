"""`Leader`: what only one indexer of a store may do. It moves to other models and clears away."""

from __future__ import annotations

import time
from collections.abc import Callable

from indexer.drift import fitted_on
from indexer.generations import remove_old_generations
from indexer.journal import Journal
from indexer.lacking import lacks_none
from indexer.relabel import Pulse, add_labels, has_foreign_labels, keep_only, lacking_labels
from indexer.targets import Targets, known_collections
from indexer.upgrading import switch
from shared.models import Models, Pair
from shared.previous import forget_previous, read_previous
from shared.store.hub import Hub

COMPARING_SHARE = 0.1
"""Share of the time that may go into comparing two collections while others fill one of them."""
COMPARING_SECONDS = 5.0
"""Shortest rest between two such comparisons."""
MOST_PASSES = 3
"""How often labels are added for what others brought meanwhile, before the rest has to wait for the
pass after the switch."""


class Leader:
    """Moves a store from one pair of encoder and clusters to the next. Raises `StoreError`.

    `grace_seconds`: how long the encoder before is kept true, so that it can come back.
    """

    leads = True

    def __init__(
        self,
        models: Models,
        hub: Hub,
        journal: Journal,
        targets: Targets,
        pulse: Callable[[], None],
        grace_seconds: float,
    ) -> None:
        self._models, self._hub, self._journal = models, hub, journal
        self._targets, self._pulse, self._grace = targets, pulse, grace_seconds
        self._compare_at = 0.0
        self._has_foreign_labels = has_foreign_labels(
            targets.current.store, journal, targets.current.collection, targets.current.clustering
        )

    def begin(self) -> None:
        """Tell others which collection answers, and clear away what no model needs."""
        self._hub.announce(self._targets.current.collection)
        previous = read_previous(self._models)
        if previous is not None and previous.is_over:
            forget_previous(self._models)
        self._drop_leftovers()

    @property
    def to_relabel(self) -> int:
        """How many points `relabel` has to look at; 0 when all labels are as they should be."""
        passes = (self._targets.next_generation is not None) * 2 or self._has_foreign_labels
        return max(1, passes * self._targets.current.store.count()) if passes else 0

    def relabel(self, pulse: Pulse) -> Pair | None:
        """Move to another generation of the same encoder's clusters, without a moment in which a
        search finds less: every point gets its new label beside the old one, then the new pair
        answers, then the old labels go. The pair that became current, or None.

        This indexer must index nothing between its beginning and its end; what others bring
        meanwhile is labelled, too. It may be stopped by `pulse`, or killed, at any moment: whoever
        opens the targets next goes on.
        """
        following = self._targets.next_generation
        if following is not None and not self._move_to(following, pulse):
            return None
        current = self._targets.current
        if self._has_foreign_labels and keep_only(
            current.store, self._journal, current.collection, current.clustering, pulse,
            shared=self._hub.is_shared,
        ):  # fmt: skip
            self._has_foreign_labels = False
            remove_old_generations(self._models, self._targets.pair)
        return following

    def _move_to(self, following: Pair, pulse: Pulse) -> bool:
        """Label every point, then let the generation answer; False if it was stopped before."""
        store, collection = self._targets.current.store, self._targets.current.collection
        clustering = self._models.clustering(following)
        for _ in range(MOST_PASSES):
            if not add_labels(store, clustering, pulse, shared=self._hub.is_shared):
                return False
            if not self._hub.is_shared or not lacking_labels(store, clustering):
                break
        store.flush()
        about = self._models.about_clustering(following)
        self._journal.begin_generation(collection, following.generation, fitted_on(about))
        self._models.set_current(following)
        self._targets.go_on_with(following)
        self._has_foreign_labels = True
        return True

    def activate_next(self) -> Pair | None:
        """Make the next model current if its collection is whole; the old one is kept for a while.

        Returns the pair that became current, or None. Open the targets anew afterwards: that drops
        the collection that is kept no more.
        """
        following = self._targets.next_encoder
        if following is None or not self._is_whole():
            return None
        self._targets.all[1].store.flush()
        switch(self._models, self._targets.pair, following, self._grace)
        return following

    def _is_whole(self) -> bool:
        """Whether the next collection has all of the current one, in this journal and, where others
        fill it as well, in the store itself."""
        old, new = self._targets.all[:2]
        if self._journal.lacking(old.collection, new.collection):
            return False
        if not self._hub.is_shared:
            return True
        began = time.monotonic()
        if began < self._compare_at:
            return False
        is_whole = lacks_none(old.store, new.store, self._pulse)
        now = time.monotonic()
        self._compare_at = now + max(COMPARING_SECONDS, (now - began) / COMPARING_SHARE)
        return is_whole

    def _drop_leftovers(self) -> None:
        """Delete collections of models that are neither current nor next, nor kept."""
        names = set(self._hub.names())
        if self._targets.are_stale:  # then another may have made one that is wanted
            return
        if self._hub.is_shared:
            names &= known_collections(self._models)
        wanted = {target.collection for target in self._targets.all}
        for name in sorted(names - wanted):
            self._hub.drop(name)
        for name in set(self._journal.collections()) - wanted:
            self._journal.drop_collection(name)
