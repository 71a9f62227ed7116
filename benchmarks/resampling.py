"""As many vectors as a benchmark wants, made from real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import ours, run
from shared.clustering import Clustering
from shared.models import Models
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import Embeddings


def home_of(folder: Path, home: Path) -> Path:
    """Index every picture below a folder with the encoder that ships."""
    run(*ours("indexer"), "train", "--starter-only", folder, home=home)
    run(*ours("indexer"), "scan", folder, home=home)
    return home


def real_vectors(home: Path) -> tuple[Embeddings, Clustering]:
    """Every stored vector of a home, made unit again after Float16, and its clustering."""
    settings = load_settings({"home": home})
    models = Models(settings.models)
    pair = models.current()
    store = open_store(settings, pair.encoder)
    try:
        found = [
            point.vector
            for batch in store.scroll(with_vectors=True)
            for point in batch
            if point.vector is not None
        ]
    finally:
        store.close()
    return _unit(np.stack(found)), models.clustering(pair)


def resampled(
    real: Embeddings, count: int, noise: float, random: np.random.Generator
) -> Embeddings:
    """`count` rows drawn with replacement, each moved by a step of length `noise`."""
    steps = _unit(random.standard_normal((count, real.shape[1]), dtype=np.float32))
    return _unit(real[random.integers(len(real), size=count)] + noise * steps)


def _unit(rows: NDArray[np.float32]) -> Embeddings:
    unit: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
