"""Views of what is indexed: one image, all images by id, each cluster from its middle outwards."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from searcher.service.engine import Opened
from shared.errors import ImageUnknown, QueryError
from shared.store.protocol import Probe
from shared.types import ImageRecord, ScoredImage, StoredImage

_MARK = struct.Struct(">f16sI")
"""A place in a cluster: score and id of the last image shown, and how many came before."""
CURSOR = "^[A-Za-z0-9_-]{32}$"
"""How such a place is spelled: 24 bytes in base64."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One cluster: its size, its share of all images in [0, 1], and typical images with their
    cosine to the centroid, the most typical first."""

    number: int
    label: str
    size: int
    share: float
    samples: tuple[ScoredImage, ...]


@dataclass(frozen=True, slots=True)
class ClusterPage:
    """A page of a cluster's images, the most typical first, and where the next one begins."""

    number: int
    label: str
    size: int
    images: tuple[ScoredImage, ...]
    next: str | None


def image(opened: Opened, point: str) -> ImageRecord:
    """The record of an indexed image. Raises `ImageUnknown`."""
    found = opened.searcher.store.get([point]).get(point)
    if found is None:
        raise ImageUnknown("no indexed image has this id")
    return found.record


def images(opened: Opened, cursor: str | None, limit: int) -> tuple[list[ImageRecord], str | None]:
    """Up to `limit` images in the order of their ids, and where the next page begins."""
    store = opened.searcher.store
    ids, following = store.id_page(cursor, limit)
    found = store.get(ids)
    return [found[one].record for one in ids if one in found], following


def clusters(opened: Opened, samples: int) -> list[ClusterView]:
    """Every cluster, the largest first."""
    clustering, store = opened.home.clustering, opened.searcher.store
    sizes, total = store.cluster_sizes(), store.count()
    labels = [clustering.label(number) for number in range(clustering.n_clusters)]
    probes = [
        Probe(_direction(opened, number), label, samples) for number, label in enumerate(labels)
    ]
    typical = store.search(probes) if samples else [[] for _ in labels]
    views = [
        ClusterView(number, label, size, size / total if total else 0.0, tuple(typical[number]))
        for number, label in enumerate(labels)
        for size in [sizes.get(label, 0)]
    ]
    return sorted(views, key=lambda view: (-view.size, view.number))


def cluster_page(opened: Opened, number: int, cursor: str | None, limit: int) -> ClusterPage:
    """Up to `limit` images of a cluster after `cursor`. Raises `ImageUnknown` for no such cluster,
    `QueryError` for a cursor that was not given out.

    Images that are added or deleted meanwhile move nothing that is still to come.
    """
    clustering, store = opened.home.clustering, opened.searcher.store
    if number >= clustering.n_clusters:
        raise ImageUnknown(f"no cluster has the number {number}")
    label = clustering.label(number)
    score, point, before = _read_mark(cursor)
    size = store.count(label)
    # One more than is shown tells whether more follow; those that came before are asked for again.
    probe = Probe(_direction(opened, number), label, min(before + limit, size) + 1, exact=True)
    after = _after((-score, point), opened, probe, limit)
    shown = after[:limit]
    found = store.get([one.id for one in shown])
    following = _mark(shown[-1], before + len(shown)) if len(after) > limit else None
    return ClusterPage(number, label, size, _with_records(shown, found), following)


def _after(mark: tuple[float, str], opened: Opened, probe: Probe, limit: int) -> list[ScoredImage]:
    """What follows a place in a cluster: more than `limit` images, or all of them.

    Of images with the same score, the store may leave out any: the last score is certain only when
    nothing is left out.
    """
    while True:
        ranked = opened.searcher.store.search([probe], with_records=False)[0]
        whole = len(ranked) < probe.limit
        last = _place(ranked[-1])[0] if ranked else 0.0
        found = sorted(
            (one for one in ranked if mark < _place(one) and (whole or _place(one)[0] < last)),
            key=_place,
        )
        if whole or len(found) > limit:
            return found
        probe = replace(probe, limit=2 * probe.limit)


def _place(image: ScoredImage) -> tuple[float, str]:
    return -_single(image.score), image.id


def _with_records(
    shown: Sequence[ScoredImage], found: Mapping[str, StoredImage]
) -> tuple[ScoredImage, ...]:
    return tuple(
        ScoredImage(one.id, one.score, found[one.id].record) for one in shown if one.id in found
    )


def _direction(opened: Opened, number: int) -> NDArray[np.float32]:
    """The centroid as a unit vector, float32 (512,)."""
    centroid = opened.home.clustering.centroids[number]
    row: NDArray[np.float32] = centroid / np.linalg.norm(centroid)
    return row


def _single(score: float) -> float:
    """The score as a cursor keeps it."""
    rounded: float = struct.unpack(">f", struct.pack(">f", score))[0]
    return rounded


def _mark(last: ScoredImage, before: int) -> str:
    packed = _MARK.pack(last.score, UUID(last.id).bytes, before)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _read_mark(cursor: str | None) -> tuple[float, str, int]:
    if cursor is None:
        return math.inf, "", 0
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        score, point, before = _MARK.unpack(packed)
    except (ValueError, struct.error) as error:
        raise QueryError("the cursor is none that this service gave: begin without one") from error
    return score, str(UUID(bytes=point)), before
