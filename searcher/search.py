"""`Searcher`: a picture, a vector or a point's id in, an `Answer` out. Knows protocols only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from searcher.answer import PERCENTILE_DIGITS, SCORE_DIGITS, SHARE_DIGITS, Answer, Recall, Took
from searcher.query.options import Request
from shared.calibration import Calibration, margins, within
from shared.clustering import Clustering
from shared.errors import QueryError, StoreMissing, VectorRefused
from shared.evaluation import recall_at_k
from shared.images import decode
from shared.reading import Limits
from shared.store.protocol import Probe, VectorStore, validated
from shared.types import Decoded, Encoder, Pixels, ScoredImage


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
        calibration: Calibration | None = None,
    ) -> None:
        self.encoder, self.clustering, self.store = encoder, clustering, store
        self.limits, self.calibration = limits or Limits(), calibration

    def ask_image(self, data: bytes, request: Request) -> Answer:
        """The images most like a picture's bytes. Raises `ImageRefused` as well."""
        vector, took = embed(self.encoder, data, self.limits)
        return self.ask_vector(vector, request, took)

    def ask(self, picture: Pixels, request: Request) -> Answer:
        """The images most like uint8 pixels (size, size, 3) in the encoder's geometry."""
        vector, took = _encoded(self.encoder, picture)
        return self.ask_vector(vector, request, took)

    def ask_point(self, point: str, request: Request) -> Answer:
        """The images most like an indexed one, itself among them."""
        started = perf_counter()
        stored = self.store.get([point], with_vectors=True).get(point)
        if stored is None or stored.vector is None:
            raise QueryError("no indexed image has this id")
        took = Took(search=_milliseconds_since(started))
        return replace(self.ask_vector(stored.vector, request, took), point=stored.record)

    def ask_vector(
        self, vector: NDArray[np.float32], request: Request, took: Took | None = None
    ) -> Answer:
        """The images whose vectors have the largest cosine with float32 (512,).

        `took`: what has been spent on the vector already; the answer's own time is added.
        """
        started, took = perf_counter(), took or Took()
        row = _unit_row(vector)
        order, recall = self.clusters(row, request)
        total = self.store.count()
        if not total:
            raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
        labels = [self.clustering.label(int(number)) for number in order]
        wanted = [None] if request.probes == "all" else labels
        found = _rounded(merge(self._search(row, wanted, request), request.number))
        searched = sum(self.store.count(label, request.where) for label in wanted)
        if request.verify:
            recall = self._verified(row, found, request)
        kept, known = self._kept(found, request), self.calibration
        return Answer(
            cluster=labels[0],
            clusters_searched=tuple(labels),
            searched=searched,
            total=total,
            number=request.number,
            results=kept,
            took=replace(took, search=took.search + _milliseconds_since(started)).rounded(),
            recall=recall,
            left_out=len(found) - len(kept),
            best_score=found[0].score if found else None,
            least_alike=round(known.least_alike, SCORE_DIGITS) if known else None,
            percentiles={image.id: _percentile(known, image) for image in kept} if known else {},
            vector=row[0],
        )

    def clusters(
        self, row: NDArray[np.float32], request: Request
    ) -> tuple[NDArray[np.int64], Recall | None]:
        """The clusters to look into for float32 (1, 512), int64, the query's own first, and the
        recall that is expected.

        None is expected with a filter, for the calibration knew of none.
        """
        known = None if request.where else self.calibration
        n_clusters = self.clustering.n_clusters
        if request.probes == "all":
            return self.clustering.nearest(row, n_clusters)[0], Recall(1.0, "expected")
        if request.probes == "auto":
            if self.calibration is None:
                raise QueryError(
                    "clusters without a calibration cannot be searched with probes auto: "
                    "run `indexer recluster`"
                )
            limit = self.calibration.limit(request.wanted_recall)
            chosen = within(
                margins(self.clustering, row)[0], float(self.calibration.margins[limit])
            )
            if len(chosen) == n_clusters:  # the others' mean says less than is known of this one
                return chosen, Recall(1.0, "expected")
            return chosen, _expected(known.margin_recall[limit] if known else None)
        chosen = self.clustering.nearest(row, min(request.probes, n_clusters))[0]
        return chosen, _expected(known.probe_recall[len(chosen) - 1] if known else None)

    def _search(
        self, row: NDArray[np.float32], clusters: Sequence[str | None], request: Request
    ) -> list[list[ScoredImage]]:
        return self.store.search(
            [Probe(row[0], cluster, request.number, request.where) for cluster in clusters]
        )

    def _verified(
        self, row: NDArray[np.float32], found: Sequence[ScoredImage], request: Request
    ) -> Recall:
        """The recall of what was found, against a search of everything."""
        probe = Probe(row[0], None, request.number, request.where)
        exact = merge(self.store.search([probe], with_records=False), request.number)
        value = recall_at_k(
            [image.id for image in found], [image.id for image in exact], request.number
        )
        return Recall(round(value, SHARE_DIGITS), "measured")

    def _kept(self, found: Sequence[ScoredImage], request: Request) -> tuple[ScoredImage, ...]:
        """Those that are alike enough."""
        least = -1.0 if request.min_score is None else request.min_score
        if request.min_percentile is not None:
            if self.calibration is None:
                raise QueryError(
                    "clusters without a calibration give no percentiles: run `indexer recluster`"
                )
            least = max(least, self.calibration.score_at(request.min_percentile))
        return tuple(image for image in found if image.score >= least)


def _expected(value: np.float32 | None) -> Recall | None:
    return None if value is None else Recall(round(float(value), SHARE_DIGITS), "expected")


def _percentile(calibration: Calibration, image: ScoredImage) -> float:
    """Rounded down, so that only what all pairs are less alike than has 100."""
    step: int = 10**PERCENTILE_DIGITS
    return math.floor(calibration.percentile(image.score) * step) / step


def _rounded(found: Sequence[ScoredImage]) -> tuple[ScoredImage, ...]:
    """Scores as they are shown, so that a result is kept or left out by what people see."""
    return tuple(
        ScoredImage(image.id, round(image.score, SCORE_DIGITS), image.record) for image in found
    )


def embed(
    encoder: Encoder, data: bytes, limits: Limits | None = None
) -> tuple[NDArray[np.float32], Took]:
    """A picture's bytes as a vector, float32 (512,), and the time it took. No store is needed.

    Raises `ImageRefused`.
    """
    _, vector, took = seen(encoder, data, limits)
    return vector, took


def seen(
    encoder: Encoder, data: bytes, limits: Limits | None = None
) -> tuple[Decoded, NDArray[np.float32], Took]:
    """As `embed`, with what the picture's hashes and size are."""
    started = perf_counter()
    decoded = decode(data, [encoder.spec], limits)
    spent = _milliseconds_since(started)
    vector, took = _encoded(encoder, decoded.pixels[0])
    return decoded, vector, replace(took, decode=spent)


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
    return tuple(
        image if -1 <= image.score <= 1 else replace(image, score=math.copysign(1.0, image.score))
        for image in ranked
    )


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
