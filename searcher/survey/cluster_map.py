"""Vectors as places on a plane, for a map of the collection."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.types import Embeddings

WITHOUT_TSNE = (
    "the map is a plain PCA, in which clusters overlap: "
    "pip install 'lookalike[map]' to have it drawn by t-SNE"
)

_PERPLEXITY = 30
"""Neighbours that each picture is kept near to: van der Maaten and Hinton (2008) advise 5 to 50."""

_FEWEST = 12
"""Below this many pictures there are no neighbourhoods to keep, and PCA shows all there is."""

_NO_WIDTH = 1e-6
"""Vectors that differ by less are one and the same but for rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """`places`: float32 (n, 2) in [0, 1], one scale for both axes. `note` says what was missed."""

    places: NDArray[np.float32]
    method: Literal["t-SNE", "PCA"]
    note: str | None = None


def project(vectors: Embeddings, seed: int = 0) -> Projection:
    """Lay float32 (n, 512) out on a plane with neighbours together: t-SNE by openTSNE, or else PCA.

    One core, and the same vectors and seed give the same map. Raises ValueError if a vector is not
    finite.
    """
    if not np.isfinite(vectors).all():
        raise ValueError("vectors are not finite: encode them again")
    plain = principal_components(vectors)
    if len(vectors) < _FEWEST or np.ptp(plain, axis=0).max() < _NO_WIDTH:
        return Projection(_framed(plain), "PCA")
    library = _library()
    if library is None:
        return Projection(_framed(plain), "PCA", WITHOUT_TSNE)
    embedded = library.TSNE(
        perplexity=min(_PERPLEXITY, (len(vectors) - 1) / 3),
        # Exact neighbours cost a tenth of the whole at the few thousand pictures of a map.
        neighbors="exact",
        random_state=seed,
        n_jobs=1,
    ).fit(np.asarray(vectors, np.float64))
    return Projection(_framed(np.asarray(embedded, np.float64)), "t-SNE")


def _library() -> Any:
    """openTSNE, or None without the `map` extra. It takes a second and a half to import."""
    try:
        return importlib.import_module("openTSNE")
    except ImportError:
        return None


def principal_components(vectors: Embeddings) -> NDArray[np.float64]:
    """float64 (n, 2): the vectors along their two directions of greatest variance (PCA).

    Of the two signs a direction can have, the one that makes its largest coordinate positive.
    """
    if not len(vectors):
        return np.empty((0, 2))
    centred = np.asarray(vectors, np.float64)
    centred = centred - centred.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    places: NDArray[np.float64] = centred @ (axes * np.where(largest < 0, -1, 1))
    return places


def _framed(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """The places moved and scaled into the unit square, centred, the axes in proportion."""
    if not len(places):
        return np.empty((0, 2), np.float32)
    low, high = places.min(axis=0), places.max(axis=0)
    scale = float((high - low).max()) or 1.0
    framed: NDArray[np.float64] = ((places - (low + high) / 2) / scale + 0.5).clip(0, 1)
    return framed.astype(np.float32)
