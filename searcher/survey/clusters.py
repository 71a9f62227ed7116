"""What each cluster of the current generation holds: size, spread, the most typical pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.clustering import Clustering
from shared.errors import StoreMissing
from shared.store.protocol import VectorStore
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, StoredImage

UNLABELLED = -1


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture of a cluster and its Euclidean distance to the centroid."""

    record: ImageRecord
    distance: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Euclidean distances of a cluster's pictures to its centroid: mean and 95th percentile."""

    mean: float
    p95: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """`share`: of all pictures, in [0, 1]. `spread` is None for a cluster without pictures.

    `samples`: the pictures nearest to the centroid, nearest first.
    """

    number: int
    label: str
    size: int
    share: float
    spread: Spread | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Pictures drawn at random: `vectors` float32 (n, 512), `numbers` int64 (n,) of their clusters,
    -1 for those without a label of the generation."""

    records: tuple[ImageRecord, ...]
    vectors: Embeddings
    numbers: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """All clusters of a generation, largest first, and the pictures drawn for a map.

    `unlabelled`: how many of `total` have no label of it, as while pictures are being relabelled.
    """

    encoder: str
    generation: str
    total: int
    unlabelled: int
    clusters: tuple[Cluster, ...]
    drawn: Drawn


@dataclass(slots=True)
class _Seen:
    """What is kept of one cluster while all points pass by."""

    distances: list[NDArray[np.float32]] = field(default_factory=list)
    nearest: list[Sample] = field(default_factory=list)

    def add(self, images: Sequence[StoredImage], distances: NDArray[np.float32], kept: int) -> None:
        self.distances.append(distances)
        new = [
            Sample(images[place].record, float(distances[place]))
            for place in np.argsort(distances, kind="stable")[:kept]
        ]
        both = sorted([*self.nearest, *new], key=lambda one: (one.distance, one.record.id))
        self.nearest = both[:kept]


def survey(
    store: VectorStore, clustering: Clustering, *, samples: int, drawn: int = 0, seed: int = 0
) -> Survey:
    """Read every point once; `samples` typical pictures a cluster, `drawn` random ones of all.

    A point belongs to the cluster that its payload names. The same seed draws the same points of
    the same collection. Raises `StoreMissing` where nothing is indexed.
    """
    expected = store.count()
    if not expected:
        raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
    rng = np.random.default_rng(seed)
    places = rng.choice(expected, min(drawn, expected), replace=False)
    chosen = set(places.tolist())
    seen = [_Seen() for _ in range(clustering.n_clusters)]
    taken, total = list[tuple[StoredImage, int]](), 0
    for batch in store.scroll(with_vectors=True):
        images = [image for image in batch if image.vector is not None]
        numbers = _numbers(images, clustering)
        _add(seen, images, numbers, clustering, samples)
        taken += [
            (image, int(number))
            for place, (image, number) in enumerate(zip(images, numbers, strict=True), total)
            if place in chosen
        ]
        total += len(images)
    sizes = [sum(map(len, one.distances)) for one in seen]
    clusters = [
        _cluster(clustering, number, one, sizes[number], total) for number, one in enumerate(seen)
    ]
    return Survey(
        encoder=clustering.encoder,
        generation=clustering.generation,
        total=total,
        unlabelled=total - sum(sizes),
        clusters=tuple(sorted(clusters, key=lambda cluster: (-cluster.size, cluster.number))),
        drawn=_drawn(taken),
    )


def _numbers(images: Iterable[StoredImage], clustering: Clustering) -> NDArray[np.int64]:
    number = {label: place for place, label in enumerate(clustering.labels)}
    found = [
        next((number[label] for label in image.record.cluster if label in number), UNLABELLED)
        for image in images
    ]
    return np.array(found, np.int64)


def _add(
    seen: Sequence[_Seen],
    images: Sequence[StoredImage],
    numbers: NDArray[np.int64],
    clustering: Clustering,
    samples: int,
) -> None:
    if not images:
        return
    distances = clustering.distances(np.stack([_vector(image) for image in images]))
    for number in np.unique(numbers[numbers != UNLABELLED]).tolist():
        rows = np.flatnonzero(numbers == number).tolist()
        seen[number].add([images[row] for row in rows], distances[rows, number], samples)


def _vector(image: StoredImage) -> NDArray[np.float32]:
    if image.vector is None:
        raise ValueError(f"point {image.record.id} was read without its vector")
    return image.vector


def _cluster(clustering: Clustering, number: int, seen: _Seen, size: int, total: int) -> Cluster:
    spread = None
    if size:
        distances = np.concatenate(seen.distances).astype(np.float64)
        spread = Spread(float(distances.mean()), float(np.percentile(distances, 95)))
    share = size / total if total else 0.0
    label = clustering.label(number)
    return Cluster(number, label, size, share, spread, tuple(seen.nearest))


def _drawn(taken: Sequence[tuple[StoredImage, int]]) -> Drawn:
    vectors = [_vector(image) for image, _ in taken]
    return Drawn(
        records=tuple(image.record for image, _ in taken),
        vectors=np.stack(vectors) if vectors else np.empty((0, EMBEDDING_SIZE), np.float32),
        numbers=np.array([number for _, number in taken], np.int64),
    )
