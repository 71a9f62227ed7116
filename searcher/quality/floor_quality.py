"""The quality of the floors on the very files that a collection holds and was asked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from searcher.quality.collection import Collection, Labels
from searcher.quality.folder_queries import FolderQueries
from searcher.quality.probing import quality
from searcher.quality.results import DEPTH, Quality
from shared.errors import ImageRefused
from shared.floors import SPEC, Pca, color_histograms, ranked
from shared.images import pixels
from shared.reading import Limits
from shared.types import Pixels

MOST_IMAGES = 20_000
"""Larger collections get no floors: their pixels alone are 250 MB, and fitting takes minutes."""


def measure_floors(
    asked: FolderQueries,
    collection: Collection,
    own: NDArray[np.int64],
    labels: Labels,
    limits: Limits,
    k: int,
    say: Callable[[str], None],
) -> dict[str, Quality] | None:
    """P@k and mAP@100 of PCA and colour histogram, as `evaluate` measures the product.

    Both are fitted on the indexed files, read from their roots. None, and a line to `say`, if the
    collection has more than `MOST_IMAGES` or a file is gone: other files would be no comparison.
    """
    if len(collection) > MOST_IMAGES:
        say(f"no floors: {len(collection):,} images are indexed, more than {MOST_IMAGES:,}")
        return None
    try:
        points = _pixels(collection.files, limits)
        strangers = _pixels([asked.file(int(row)) for row in np.flatnonzero(own < 0)], limits)
    except ImageRefused as error:
        say(f"no floors: {error}")
        return None
    pca = Pca.fit(points)
    found = {}
    for name, features in (("pca_512", pca.project), ("color_histogram", color_histograms)):
        rows = features(points)
        queries = rows[own]
        queries[own < 0] = features(strangers)
        measured = quality(labels, ranked(queries, rows, own, max(k, DEPTH)), k)
        if measured is not None:
            found[name] = measured
    return found


def _pixels(files: Sequence[str | None], limits: Limits) -> Pixels:
    """uint8 (n, 64, 64, 3). Raises `ImageRefused` for the first file that cannot be read."""
    pictures = np.empty((len(files), SPEC.size, SPEC.size, 3), np.uint8)
    for picture, file in zip(pictures, files, strict=True):
        if file is None:
            raise ImageRefused(
                "an indexed image lies in a folder that is not known on this machine"
            )
        try:
            picture[:] = pixels(file, SPEC, limits)
        except ImageRefused as error:
            raise ImageRefused(f"{file} {error}") from error
    return pictures
