"""Clusters for an encoder that exists: encode pictures with its exported file, fit K-Means on the
vectors, draw what came out.

A training ends with this, `cluster_pictures` does nothing else, and `cluster_vectors` leaves even
the encoding out. No training framework comes in: LiteRT encodes, scikit-learn fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from indexer.training import FIGURES_SKIPPED, can_draw
from indexer.training.calibrate import calibrate
from indexer.training.kmeans import KMeansResult, fit_kmeans
from indexer.training.source import ImagePath, PixelSource
from shared.clustering import Clustering
from shared.encoder import LiteRTEncoder
from shared.errors import ImageRefused, TrainingError
from shared.models import ENCODER_FILE, Bundle, Models, Pair
from shared.reading import Limits
from shared.types import EMBEDDING_SIZE, Embeddings, Encoder, Progress

_AT_ONCE = 64
_SHOWN_OF_A_CLUSTER = 18


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """How to cluster. `k` None means the elbow. `seed` is in [0, 2^32). `workers`: threads that
    decode."""

    k: int | None = None
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise TrainingError(f"k is {self.k}: it must be at least 1")
        if not 0 <= self.seed < 2**32:
            raise TrainingError(f"seed is {self.seed}: it must be between 0 and {2**32 - 1}")
        if self.workers < 1:
            raise TrainingError(f"workers is {self.workers}: it must be at least 1")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures and their vectors, row by row; `refused` pairs the others with the reason."""

    paths: tuple[ImagePath, ...]
    vectors: Embeddings
    refused: tuple[tuple[ImagePath, str], ...]


@dataclass(frozen=True, slots=True)
class ClusteringResult:
    """What came out; the names are those of `TrainingResult`. `figures` lie in the home.

    Nothing is current yet: the caller decides what becomes of `pair`.
    """

    pair: Pair
    k: int
    chosen_by: str
    sizes: tuple[int, ...]
    images: int
    refused: tuple[tuple[ImagePath, str], ...]
    figures: tuple[Path, ...]


def cluster_pictures(
    paths: Sequence[ImagePath],
    bundle: Bundle,
    models: Models,
    config: ClusterConfig,
    progress: Progress,
    limits: Limits | None = None,
) -> ClusteringResult:
    """Fit the next generation of a bundle's clusterings on pictures, and add it to `models`.

    The bundle must lie in `models`. Figures are skipped with a note where matplotlib is missing.
    Raises `TrainingError` with one line (no picture can be read, k too large, no room to write) and
    `ModelError` if the bundle is damaged.
    """
    _check_k(config.k, len(paths))
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    with PixelSource(bundle.spec, limits, workers=config.workers) as source:
        encoded = encode_pictures(paths, source, encoder, progress)
        if not encoded.paths:
            raise TrainingError(_none_readable(paths, encoded))
        return _clustered(encoded, source, bundle, models, config, progress)


def cluster_vectors(
    encoded: Encoded,
    bundle: Bundle,
    models: Models,
    config: ClusterConfig,
    progress: Progress,
    limits: Limits | None = None,
) -> ClusteringResult:
    """The same for pictures whose vectors are known. Those that cannot be read any more are missing
    from the figures only. Raises what `cluster_pictures` does.
    """
    _check_k(config.k, len(encoded.paths))
    with PixelSource(bundle.spec, limits, workers=config.workers) as source:
        return _clustered(encoded, source, bundle, models, config, progress)


def clustering_about(
    found: KMeansResult, vectors: Embeddings, config: ClusterConfig
) -> dict[str, Any]:
    """What every new generation tells about itself, as JSON values for `Models.add_clustering`.

    `vectors`: float32 (n, 512), those that it was fitted on. `mean_distance` is that of the
    `distinct` ones from the nearest centroid, against which drift is measured: of copies, one
    arrives. `calibration` tells what searches find.
    """
    clustering = Clustering("", "g1", found.centroids)
    distances = clustering.distances(vectors).min(axis=1)[_distinct(vectors)]
    calibration = calibrate(vectors, clustering, config.seed)
    return found.about() | {
        "seed": config.seed,
        "distinct": len(distances),
        "mean_distance": float(distances.mean(dtype=np.float64)),
        "calibration": calibration and calibration.to_json(),
    }


def _distinct(vectors: Embeddings) -> list[int]:
    """The row of one of each vector: copies of a picture have the same one."""
    return list({hash(vector.tobytes()): row for row, vector in enumerate(vectors)}.values())


def _clustered(
    encoded: Encoded,
    source: PixelSource,
    bundle: Bundle,
    models: Models,
    config: ClusterConfig,
    progress: Progress,
) -> ClusteringResult:
    """Fit, draw, publish."""
    try:
        with TemporaryDirectory() as drawn:
            found = fit_clusters(encoded, source, config, Path(drawn), progress)
            about = clustering_about(found, encoded.vectors, config)
            clustering = models.add_clustering(bundle.id, found.centroids, about, Path(drawn))
    except OSError as error:
        raise TrainingError(f"cannot write models to {models.root}: {error}") from error
    pair = Pair(bundle.id, clustering.generation)
    return ClusteringResult(
        pair=pair,
        k=found.k,
        chosen_by=found.chosen_by,
        sizes=found.sizes,
        images=len(encoded.paths),
        refused=encoded.refused,
        figures=tuple(sorted(models.clustering_path(pair).glob("figures/*"))),
    )


def _check_k(k: int | None, images: int) -> None:
    if k is not None and k > images:
        raise TrainingError(f"k = {k} with {images} images: give 1 to {images}, or auto")


def encode_pictures(
    paths: Sequence[ImagePath], source: PixelSource, encoder: Encoder, progress: Progress
) -> Encoded:
    """Every picture through an exported encoder: the very vectors that indexing will store.

    `source` gives pixels of the encoder's geometry. What cannot be read costs that picture only.
    Raises `ModelError` if the encoder fails.
    """
    encoded: list[ImagePath] = []
    refused: list[tuple[ImagePath, str]] = []
    vectors = np.empty((len(paths), EMBEDDING_SIZE), np.float32)
    with progress.stage("Encoding pictures", len(paths)) as stage:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            found = list(zip(some, source.many(some), strict=True))
            good = [(path, pixels) for path, pixels in found if pixels is not None]
            if good:
                end = len(encoded) + len(good)
                vectors[len(encoded) : end] = encoder.encode(np.stack([one for _, one in good]))
                encoded.extend(path for path, _ in good)
            refused += _reasons([path for path, pixels in found if pixels is None], source)
            stage.advance(len(some))
    return Encoded(tuple(encoded), vectors[: len(encoded)], tuple(refused))


def fit_clusters(
    encoded: Encoded, source: PixelSource, config: ClusterConfig, folder: Path, progress: Progress
) -> KMeansResult:
    """K-Means on vectors; `elbow.png` and one sheet of pictures a cluster, drawn into `folder`.

    A cluster of which no shown picture can be read gets no sheet. Without matplotlib nothing is
    drawn, which `progress` is told: every training ends here, so it is told once. Raises what
    `fit_kmeans` does, and OSError if it cannot write.
    """
    found = fit_kmeans(encoded.vectors, k=config.k, seed=config.seed, progress=progress)
    if can_draw():
        _draw(found, encoded, source, folder, progress)
    else:
        progress.say(FIGURES_SKIPPED)
    return found


def _draw(
    found: KMeansResult, encoded: Encoded, source: PixelSource, folder: Path, progress: Progress
) -> None:
    from indexer.training.figures import draw_cluster, draw_elbow

    draw_elbow(found, folder / "elbow.png")
    distances = Clustering("", "g1", found.centroids).distances(encoded.vectors)
    labels = distances.argmin(axis=1)
    with progress.stage("Drawing clusters", found.k) as stage:
        for number in range(found.k):
            members = np.flatnonzero(labels == number)
            nearest = members[np.argsort(distances[members, number], kind="stable")]
            shown = [encoded.paths[row] for row in nearest[:_SHOWN_OF_A_CLUSTER]]
            pictures = [pixels for pixels in source.many(shown) if pixels is not None]
            if pictures:
                draw_cluster(number, found.sizes, pictures, folder / f"cluster-{number}.png")
            stage.advance()


def _reasons(paths: Sequence[ImagePath], source: PixelSource) -> list[tuple[ImagePath, str]]:
    """Why each cannot be used; a file that has just become whole was still being written."""
    return [
        (path, str(found) if isinstance(found, ImageRefused) else "changed while it was read")
        for path, found in zip(paths, source.inspect(paths), strict=True)
    ]


def _none_readable(paths: Sequence[ImagePath], encoded: Encoded) -> str:
    if not encoded.refused:
        return "no images to cluster, at least 1 is needed: add some"
    path, reason = encoded.refused[0]
    return f"none of {len(paths)} images can be read; the first, {path!r}: {reason}"
