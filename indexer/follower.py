"""`Follower`: the indexer of a part that does not lead. It keeps to its own points, and writes
nothing into the models' folder."""

from __future__ import annotations

from indexer.drift import fitted_on
from indexer.journal import Journal
from indexer.relabel import Pulse, follow_labels
from indexer.targets import Targets
from shared.models import Models, Pair


class Follower:
    """The verbs of `Leader`, for who follows. Raises `StoreError`, `JournalError`."""

    leads = False

    def __init__(self, models: Models, journal: Journal, targets: Targets) -> None:
        self._models, self._journal, self._targets = models, journal, targets

    def begin(self) -> None:
        """Forget in the journal the collections that no model needs; the leader drops them."""
        wanted = {target.collection for target in self._targets.all}
        for name in set(self._journal.collections()) - wanted:
            self._journal.drop_collection(name)

    @property
    def to_relabel(self) -> int:
        """How many own points have another label than those of the clusters that answer."""
        target = self._targets.current
        prefix = target.clustering.generation + "/"
        sizes = self._journal.cluster_sizes(target.collection)
        return sum(size for label, size in sizes.items() if not label.startswith(prefix))

    def relabel(self, pulse: Pulse) -> Pair | None:
        """After the leader moved to other clusters: see to it that every own point has its label of
        them. Nothing becomes current by it."""
        target, pair = self._targets.current, self._targets.pair
        if self._journal.arrivals(target.collection, pair.generation) is None:
            about = self._models.about_clustering(pair)
            self._journal.begin_generation(target.collection, pair.generation, fitted_on(about))
        follow_labels(target.store, self._journal, target.collection, target.clustering, pulse)
        return None

    def activate_next(self) -> Pair | None:
        """The leader does that."""
        return None
