"""`Searcher`: a picture, a vector or a point's id in, an `Answer` out. Knows protocols only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Answer, Took
from shared.clustering import Clustering
from shared.errors import QueryError, StoreMissing, VectorRefused
from shared.images import pixels
from shared.reading import Limits
from shared.store.protocol import Probe, VectorStore, validated
from shared.types import Encoder, Pixels, ScoredImage


class Searcher:
    """Answers questions with one encoder, one generation of its clusters, and their store.

    Every method raises `QueryError` for a question that cannot be asked and `StoreError` when the
    store fails (`StoreMissing` when it is empty).
    """

    def __init__(
        self,
        encoder: Encoder,
        clustering: Clustering,
        store: VectorStore,
        limits: Limits | None = None,
    ) -> None:
        self.encoder, self.clustering, self.store = encoder, clustering, store
        self.limits = limits or Limits()

    def ask_image(self, data: bytes, number: int) -> Answer:
        """The `number` images most like a picture's bytes. Raises `ImageRefused` as well."""
        vector, took = embed(self.encoder, data, self.limits)
        return self.ask_vector(vector, number, took)

    def ask(self, picture: Pixels, number: int) -> Answer:
        """The `number` images most like uint8 pixels (size, size, 3) in the encoder's geometry."""
        vector, took = _encoded(self.encoder, picture)
        return self.ask_vector(vector, number, took)

    def ask_point(self, point: str, number: int) -> Answer:
        """The `number` images most like an indexed one, itself among them."""
        started = perf_counter()
        stored = self.store.get([point], with_vectors=True).get(point)
        if stored is None or stored.vector is None:
            raise QueryError("no indexed image has this id")
        took = Took(search=_milliseconds_since(started))
        return replace(self.ask_vector(stored.vector, number, took), point=stored.record)

    def ask_vector(
        self, vector: NDArray[np.float32], number: int, took: Took | None = None
    ) -> Answer:
        """The `number` images whose vectors have the largest cosine with float32 (512,).

        `took`: what has been spent on the vector already; the answer's own time is added.
        """
        if number < 1:
            raise QueryError(f"{number} results were asked for: ask for at least 1")
        started, took = perf_counter(), took or Took()
        row = _unit_row(vector)
        clusters = self._clusters(row)
        total = self.store.count()
        if not total:
            raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
        found = self.store.search([Probe(row[0], cluster, number) for cluster in clusters])
        searched = sum(self.store.count(cluster) for cluster in clusters)
        return Answer(
            cluster=clusters[0],
            clusters_searched=clusters,
            searched=searched,
            total=total,
            number=number,
            results=merge(found, number),
            took=replace(took, search=took.search + _milliseconds_since(started)),
        )

    def _clusters(self, row: NDArray[np.float32]) -> tuple[str, ...]:
        """The labels to look into, the query's own cluster first."""
        return (self.clustering.label(int(self.clustering.predict(row)[0])),)


def embed(
    encoder: Encoder, data: bytes, limits: Limits | None = None
) -> tuple[NDArray[np.float32], Took]:
    """A picture's bytes as a vector, float32 (512,), and the time it took. No store is needed.

    Raises `ImageRefused`.
    """
    started = perf_counter()
    picture = pixels(data, encoder.spec, limits)
    decode = _milliseconds_since(started)
    vector, took = _encoded(encoder, picture)
    return vector, replace(took, decode=decode)


def merge(found: Iterable[Sequence[ScoredImage]], number: int) -> tuple[ScoredImage, ...]:
    """The `number` best of several probes' answers, best first.

    A point that several probes found counts once, with its best score; equal scores are ordered by
    id, so that the same question has the same answer. Scores that rounding carried beyond 1 are 1.
    """
    best: dict[str, ScoredImage] = {}
    for image in (image for answers in found for image in answers):
        if image.id not in best or image.score > best[image.id].score:
            best[image.id] = image
    ranked = sorted(best.values(), key=lambda image: (-image.score, image.id))[:number]
    return tuple(replace(image, score=max(-1.0, min(1.0, image.score))) for image in ranked)


def _encoded(encoder: Encoder, picture: Pixels) -> tuple[NDArray[np.float32], Took]:
    started = perf_counter()
    vector = encoder.encode(picture[None])[0]
    return vector, Took(encode=_milliseconds_since(started))


def _unit_row(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        return validated(np.asarray(vector)[None], 1)
    except VectorRefused as error:
        raise QueryError(f"gives no vector that can be compared: {error}") from error


def _milliseconds_since(started: float) -> float:
    return (perf_counter() - started) * 1000
