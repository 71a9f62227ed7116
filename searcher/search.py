"""`Searcher`: a vector in, an `Answer` out. Knows protocols only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from searcher.answer import PERCENTILE_DIGITS, SCORE_DIGITS, SHARE_DIGITS, Answer, Recall, Took
from searcher.probes import ProbeChooser, Probes
from searcher.query.options import Request
from shared.calibration import Calibration
from shared.clustering import Clustering
from shared.errors import QueryError, StoreMissing, VectorRefused
from shared.evaluation import recall_at_k
from shared.images import decode
from shared.reading import Limits
from shared.store.protocol import Probe, VectorStore, validated
from shared.types import Decoded, Embeddings, Encoder, ImageRecord, Pixels, ScoredImage

IsItself = Callable[[ImageRecord], bool]
"""Whether an indexed image is the query itself, which is left out of its own results."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The images of one search, best first and without the query itself, the clusters that were
    searched, and how many points of each were asked for."""

    images: tuple[ScoredImage, ...]
    probes: Probes
    limit: int


class Searcher:
    """Searches one encoder's vectors in the clusters of one generation.

    Every method raises `QueryError` for a query that cannot be searched for and `StoreError` when
    the store fails (`StoreMissing` when it is empty).
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
        self.chooser = ProbeChooser(clustering, calibration)

    def search(
        self,
        vector: NDArray[np.float32],
        request: Request,
        took: Took | None = None,
        *,
        examples: Embeddings | None = None,
        is_itself: IsItself | None = None,
    ) -> Answer:
        """Find the images whose vectors have the largest cosine with float32 (512,).

        `examples`: float32 (n, 512), the images to be like whose clusters are searched; without
        them the vector is the only one. `is_itself` says which images are left out. `took`: the
        time already spent on the vector, to which that of the search is added.
        """
        started, took = perf_counter(), took or Took()
        row = _unit_row(vector)
        examples = row if examples is None else examples
        total = self.store.count()
        if not total:
            raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
        matching = self.store.count(None, request.where) if request.where else total
        share = max(1, matching) / total
        found = self._found(row, examples, request, share, is_itself)
        probes, labels = found.probes, [self.clustering.label(n) for n in found.probes.clusters]
        searched = matching
        if not probes.is_all:
            searched = sum(self.store.count(label, request.where) for label in labels)
        recall = probes.recall
        if request.verify:
            recall = self._verified(row, found, request, is_itself)
        kept = self._kept(found.images, request)
        known = self.calibration if self.calibration and self.calibration.is_scored else None
        return Answer(
            cluster=labels[0],
            clusters_searched=tuple(labels),
            searched=searched,
            matching=matching,
            total=total,
            number=request.number,
            results=kept,
            took=replace(took, search=took.search + _milliseconds_since(started)).rounded(),
            recall=recall,
            left_out=len(found.images) - len(kept),
            best_score=found.images[0].score if found.images else None,
            least_alike=round(known.least_alike, SCORE_DIGITS) if known else None,
            percentiles={image.id: _percentile(known, image) for image in kept} if known else {},
            vector=row[0],
        )

    def _found(
        self,
        row: NDArray[np.float32],
        examples: Embeddings,
        request: Request,
        share: float,
        is_itself: IsItself | None,
    ) -> _Found:
        """Search, and search for more where the query itself took the place of results."""
        counts: dict[int, int] = {}

        def size(number: int) -> int:
            if number not in counts:
                counts[number] = self.store.count(self.clustering.label(number), request.where)
            return counts[number]

        limit = request.number + (0 if is_itself is None else len(examples))
        while True:
            probes = self.chooser.choose(examples, request, size, wanted=limit, share=share)
            images = self._searched(row, probes, limit, request)
            kept = _without_itself(images, is_itself)
            if len(kept) >= request.number or len(images) < limit:
                return _Found(kept[: request.number], probes, limit)
            limit *= 2

    def _searched(
        self, row: NDArray[np.float32], probes: Probes, limit: int, request: Request
    ) -> tuple[ScoredImage, ...]:
        labels = [None] if probes.is_all else map(self.clustering.label, probes.clusters)
        found = self.store.search([Probe(row[0], label, limit, request.where) for label in labels])
        return _rounded(merge(found, limit))

    def _verified(
        self,
        row: NDArray[np.float32],
        found: _Found,
        request: Request,
        is_itself: IsItself | None,
    ) -> Recall:
        """The recall of what was found, against a search of everything."""
        probe = Probe(row[0], None, found.limit, request.where)
        with_records = is_itself is not None
        images = merge(self.store.search([probe], with_records=with_records), found.limit)
        exact = _without_itself(images, is_itself)[: request.number]
        value = recall_at_k(
            [image.id for image in found.images], [image.id for image in exact], request.number
        )
        return Recall(round(value, SHARE_DIGITS), "measured")

    def _kept(self, found: Sequence[ScoredImage], request: Request) -> tuple[ScoredImage, ...]:
        """Those that are alike enough."""
        least = -1.0 if request.min_score is None else request.min_score
        if request.min_percentile is not None:
            if self.calibration is None or not self.calibration.is_scored:
                raise QueryError(
                    "there are no percentiles before three different images were clustered: "
                    "use --min-score, or run `indexer recluster`"
                )
            least = max(least, self.calibration.score_at(request.min_percentile))
        return tuple(image for image in found if image.score >= least)


def _without_itself(
    images: Sequence[ScoredImage], is_itself: IsItself | None
) -> tuple[ScoredImage, ...]:
    if is_itself is None:
        return tuple(images)
    return tuple(one for one in images if one.record is None or not is_itself(one.record))


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
    """Return the vector of an image's bytes, float32 (512,), and the time it took.

    Raises `ImageRefused`.
    """
    _, vector, took = embed_image(encoder, data, limits)
    return vector, took


def embed_image(
    encoder: Encoder, data: bytes, limits: Limits | None = None
) -> tuple[Decoded, NDArray[np.float32], Took]:
    """As `embed`, with the decoded image, its hashes and size."""
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
