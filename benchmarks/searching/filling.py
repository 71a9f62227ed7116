"""A home whose store grows through all sizes, written as a scan writes it."""

from __future__ import annotations

import copy
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.records import record
from benchmarks.searching.owner import BATCH, COLLECTION
from benchmarks.searching.points import cluster_numbers
from shared.clustering import Clustering
from shared.settings import Settings, load_settings
from shared.store.edge.store import EdgeStore
from shared.types import Embeddings


@dataclass(slots=True)
class Filling:
    """`points` (n, 512) go into the store of `home` one after the other. `numbers`: their clusters,
    int64 (n,). `ids`: row by id, of those that are in."""

    home: Path
    points: Embeddings
    clusters: Clustering
    numbers: NDArray[np.int64] = field(init=False)
    ids: dict[str, int] = field(init=False, default_factory=dict)
    seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.numbers = cluster_numbers(self.points, self.clusters)

    @property
    def settings(self) -> Settings:
        """Those of the home, as every command would have them."""
        return load_settings({"home": self.home})

    @property
    def folder(self) -> Path:
        """Where the collection lies."""
        return self.settings.store / COLLECTION

    def sizes(self) -> NDArray[np.int64]:
        """Vectors in each cluster."""
        return np.bincount(self.numbers, minlength=self.clusters.n_clusters)

    @contextmanager
    def aside(self) -> Iterator[Filling]:
        """A copy of the home, gone afterwards."""
        other = copy.copy(self)
        other.home = self.home.with_name(self.home.name + "-aside")
        try:
            # The store's files are sparse, and cp keeps them so.
            command = ["/bin/cp", "-a", "--sparse=always", str(self.home), str(other.home)]
            subprocess.run(command, check=True)
            yield other
        finally:
            shutil.rmtree(other.home, ignore_errors=True)

    def fill(self, size: int) -> None:
        """Write what lacks of the first `size` points, tidy, close."""
        started = time.monotonic()
        store = EdgeStore.open(self.folder, create=True, flush_points=self.settings.flush_points)
        for start in range(len(self.ids), size, BATCH):
            rows = range(start, min(start + BATCH, size))
            records = [record(row, self.clusters.label(int(self.numbers[row]))) for row in rows]
            store.upsert(records, self.points[rows.start : rows.stop])
            self.ids.update((one.id, row) for one, row in zip(records, rows, strict=True))
        store.close()
        self.seconds += time.monotonic() - started
