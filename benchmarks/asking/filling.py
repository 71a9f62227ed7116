"""A home with as many points as a load wants: vectors made from real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.resampling import resampled
from shared.models import Models
from shared.points import point_id
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import StoredImage

NOISE = 0.25
"""Length of the step that makes a new vector of a real one; see `benchmarks.search`."""


def fill(home: Path, count: int) -> None:
    """Bring a home's collection to `count` points: resampled vectors, records of real files."""
    settings = load_settings({"home": home})
    models = Models(settings.models)
    pair = models.current()
    clustering = models.clustering(pair)
    store = open_store(settings, pair.encoder)
    try:
        real = [one for page in store.scroll(with_vectors=True) for one in page]
        draw = np.random.default_rng(0)
        vectors = np.stack([_vector(one) for one in real])
        for start in range(len(real), count, 1000):
            number = min(1000, count - start)
            rows = resampled(vectors, number, NOISE, draw)
            labels = [clustering.label(int(one)) for one in clustering.predict(rows)]
            chosen = draw.integers(len(real), size=number)
            store.upsert(
                [
                    replace(
                        real[int(place)].record,
                        id=point_id("benchmark", f"{start + offset}".encode()),
                        cluster=(label,),
                    )
                    for offset, (place, label) in enumerate(zip(chosen, labels, strict=True))
                ],
                rows,
            )
        store.tidy()
        store.flush()
    finally:
        store.close()


def _vector(one: StoredImage) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if one.vector is None:
        raise ValueError(f"point {one.record.id} has no vector")
    row = one.vector.astype(np.float32)
    return row / np.linalg.norm(row)
