"""Why a picture is a result: its cluster and the border, percentile, hash distance, and heat."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from searcher.hashes import HASH_BITS
from searcher.pictures import EDGE, located
from searcher.reasons.heat_drawing import overlay
from searcher.reasons.heat_map import Heat, heat_map
from searcher.render import percentile_text
from shared.clustering import Clustering
from shared.errors import ImageRefused
from shared.images import pixels, thumbnail
from shared.reading import Limits, read_file
from shared.types import Encoder, ScoredImage

_DISTANCE_DIGITS = 4
_DROP_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Margin:
    """How deep a vector lies inside a cluster. All three are Euclidean, in the vectors' space.

    `distance`: to the centroid of `cluster`. `next` and `next_distance`: the same for the nearest
    other cluster, and `border`: to the plane half-way between both centroids, below 0 beyond it.
    These three are None where there is only one cluster.
    """

    cluster: str
    distance: float
    next: str | None = None
    next_distance: float | None = None
    border: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `--explain` tells of one result; None is what is not known.

    `percentile`: the result's, in [0, 100]. `hash_bits`: how many of the 64 bits of the query's and
    the result's perceptual hashes differ.
    """

    margin: Margin
    percentile: float | None = None
    hash_bits: int | None = None
    heat: Heat | None = None


def margin(
    clustering: Clustering, vector: NDArray[np.float32], cluster: int | None = None
) -> Margin:
    """The margin of float32 (512,) in a cluster number of the clustering, by default its nearest.

    The signed distance to the bisecting plane of centroids c1 and c2 is
    (d2^2 - d1^2) / (2 |c1 - c2|). Raises `VectorRefused` for another shape, ValueError for a number
    outside [0, k).
    """
    distances = clustering.distances(np.asarray(vector)[None])[0].astype(np.float64)
    own = int(distances.argmin()) if cluster is None else cluster
    if not 0 <= own < clustering.n_clusters:
        raise ValueError(f"cluster is {cluster}: it must be in [0, {clustering.n_clusters})")
    if clustering.n_clusters == 1:
        return Margin(clustering.label(own), float(distances[own]))
    others = np.where(np.arange(len(distances)) == own, np.inf, distances)
    other = int(others.argmin())
    first, second = float(distances[own]), float(distances[other])
    centroids = clustering.centroids[[own, other]].astype(np.float64)
    apart = float(np.linalg.norm(centroids[0] - centroids[1]))
    return Margin(
        cluster=clustering.label(own),
        distance=first,
        next=clustering.label(other),
        next_distance=second,
        border=(second**2 - first**2) / (2 * apart) if apart else 0.0,
    )


def explanation(of: Explanation) -> str:
    """``cluster g1/3, 0.12 from the border to g1/5 · percentile 99.8 · 14 of 64 hash bits differ``.

    What is not known is left out.
    """
    where = f"cluster {of.margin.cluster}"
    if of.margin.border is not None:
        side = "from" if of.margin.border >= 0 else "beyond"
        where += f", {abs(of.margin.border):.2f} {side} the border to {of.margin.next}"
    parts = [where]
    if of.percentile is not None:
        parts.append(f"percentile {percentile_text(of.percentile)}")
    if of.hash_bits is not None:
        verb = "differs" if of.hash_bits == 1 else "differ"
        parts.append(f"{of.hash_bits} of {HASH_BITS} hash bits {verb}")
    return " · ".join(parts)


def explanation_json(of: Explanation) -> dict[str, Any]:
    """The explanation as JSON values; `heat` holds the drops of cosine, row by row from the top."""
    at, heat = of.margin, of.heat
    return {
        "cluster": at.cluster,
        "distance": _rounded(at.distance),
        "next_cluster": at.next,
        "next_distance": _rounded(at.next_distance),
        "border": _rounded(at.border),
        "percentile": of.percentile,
        "hash_bits": of.hash_bits,
        "heat": None if heat is None else heat.drops.astype(float).round(_DROP_DIGITS).tolist(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DISTANCE_DIGITS)


def result_heat(
    result: ScoredImage,
    query: NDArray[np.float32],
    encoder: Encoder,
    roots: Mapping[str, Path],
    limits: Limits,
) -> tuple[Heat, Image.Image] | None:
    """A result's heat under a query's unit vector, and its thumbnail with the heat over it.

    None where the picture cannot be read any more. Raises `ModelError` if the encoder fails.
    """
    path = located(roots, result.record) if result.record is not None else None
    if path is None or not os.path.isfile(path):
        return None
    try:
        data = read_file(path, limits)[0]
        picture, small = pixels(data, encoder.spec, limits), thumbnail(data, EDGE, limits)
    except ImageRefused:
        return None
    heat = heat_map(encoder, picture, query)
    return heat, overlay(small, heat.values, encoder.spec.fit)
