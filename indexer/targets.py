"""The collections to keep true: that of the current model, that of the next while it fills, and
that of the previous one while it may come back."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.encoding import ParallelEncoder
from indexer.pipeline import Target
from indexer.upgrading import kept_pair
from shared.models import ENCODER_FILE, Models, Pair
from shared.store.hub import Hub


class Targets:
    """Opens the collections of current, next and previous model; encoders use `threads`.

    Raises `NoModel` or `ModelError` if the models cannot be used, `StoreError` if the store cannot.
    """

    def __init__(self, models: Models, hub: Hub, *, threads: int = 1) -> None:
        self._models, self._hub, self._threads = models, hub, threads
        self._pairs = self._read()
        self.all: list[Target] = [self._open(self.pair, self.next_generation)]
        self.all += [self._open(pair) for pair in (self.next_encoder, self._pairs[2]) if pair]

    @property
    def current(self) -> Target:
        """The one that answers queries."""
        return self.all[0]

    @property
    def pair(self) -> Pair:
        """The pair that answers queries."""
        return self._pairs[0]

    @property
    def next_generation(self) -> Pair | None:
        """The next pair if it is a clustering of the current encoder's vectors."""
        current, following, _ = self._pairs
        return following if following and following.encoder == current.encoder else None

    @property
    def next_encoder(self) -> Pair | None:
        """The next pair if it is of another encoder than the current one."""
        current, following, _ = self._pairs
        return following if following and following.encoder != current.encoder else None

    @property
    def are_stale(self) -> bool:
        """Whether another process trained or switched meanwhile, or the time of the previous model
        is over: open the targets anew."""
        return self._read() != self._pairs

    def go_on_with(self, pair: Pair) -> None:
        """The next generation answers from now on."""
        self._pairs = (pair, None, self._pairs[2])
        clustering = self._models.clustering(pair)
        self.all[0] = Target(self.current.encoder, clustering, self.current.store)

    def tidy(self, stores: Sequence[Target] | None = None) -> None:
        """Lay every collection out for fast search and fast loading."""
        for target in self.all if stores is None else stores:
            target.store.tidy()

    def _read(self) -> tuple[Pair, Pair | None, Pair | None]:
        """The pair that answers, the next one, and the previous one while it is kept."""
        return self._models.current(), self._models.next(), kept_pair(self._models)

    def _open(self, pair: Pair, beside: Pair | None = None) -> Target:
        bundle = self._models.bundle(pair.encoder)
        encoder = ParallelEncoder(
            bundle.read(ENCODER_FILE),
            bundle_id=bundle.id,
            spec=bundle.spec,
            threads=self._threads,
        )
        store = self._hub.collection(pair.encoder, create=True)
        following = self._models.clustering(beside) if beside else None
        return Target(encoder, self._models.clustering(pair), store, following)


def known_collections(models: Models) -> set[str]:
    """The collections that a model of this folder has or had; on a server, others have theirs
    beside them."""
    return {path.name for path in (models.root / "encoders").glob("[!.]*")}
