"""Vectors of some points compared between two stores: the proof that not only records arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from indexer.moving.copying import is_same, unit_vectors
from indexer.moving.own import PAGE
from shared.errors import StoreError
from shared.store.protocol import VectorStore

SAMPLE = 1000
"""Points whose vectors are compared."""
MIN_COSINE = 1 - 1e-3
"""Both stores keep Float16, whose rounding costs 1e-6."""


class Sampler:
    """Draws ids that pass by, each with the same chance; the same seed draws the same."""

    def __init__(self, seed: int, size: int = SAMPLE) -> None:
        self._random, self._size, self._seen = np.random.default_rng(seed), size, 0
        self.ids: list[str] = []

    def watch(self, pages: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
        """The same pages, looked at on their way (Vitter's algorithm R)."""
        for page in pages:
            for key in page:
                self._seen += 1
                if len(self.ids) < self._size:
                    self.ids.append(key)
                elif (slot := int(self._random.integers(self._seen))) < self._size:
                    self.ids[slot] = key
            yield page


def compare_vectors(
    ids: Sequence[str], source: VectorStore, target: VectorStore
) -> tuple[int, float]:
    """How many of the points the source has, and the lowest cosine between its vectors and the
    target's. Raises `StoreError` for a point that is not there or not the same."""
    compared, lowest = 0, 1.0
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        here, there = source.get(page, with_vectors=True), target.get(page, with_vectors=True)
        keys = list(here)
        if not keys:
            continue
        for key in keys:
            if key not in there or not is_same(here[key].record, there[key].record):
                raise StoreError(f"{here[key].record.path!r} ({key}) did not arrive as it was")
        cosines = np.einsum(
            "ij,ij->i",
            unit_vectors([here[key] for key in keys]),
            unit_vectors([there[key] for key in keys]),
        )
        compared, lowest = compared + len(keys), min(lowest, float(cosines.min()))
        if lowest < MIN_COSINE:
            key = keys[int(cosines.argmin())]
            raise StoreError(
                f"the vector of {here[key].record.path!r} ({key}) arrived with cosine "
                f"{cosines.min():.4f} to itself, expected {MIN_COSINE} or more"
            )
    return compared, lowest
