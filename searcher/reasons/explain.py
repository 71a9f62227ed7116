"""What an explanation is made of: how deep in its cluster a result lies, and where it is warm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from searcher.pictures import EDGE, located
from searcher.reasons.explanation import Margin
from searcher.reasons.heat_drawing import overlay
from searcher.reasons.heat_map import Heat, heat_map
from shared.clustering import Clustering
from shared.errors import ImageRefused
from shared.images import pixels, thumbnail
from shared.reading import Limits, read_file
from shared.types import Encoder, ScoredImage


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
