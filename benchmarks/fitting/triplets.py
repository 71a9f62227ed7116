"""What batches cost the triplet training: features lie in memory, so only gathering them does."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.fitting.epochs import Clock
from indexer.training.balanced import BalancedRows
from indexer.training.configs import TripletConfig
from indexer.training.metric import Labelled, learn_projection

_WIDTH = 1024
"""Directions that it learns in; what the values are makes no difference to the time."""
_CLASSES = 10


@dataclass(frozen=True, slots=True)
class Triplets:
    """Pictures/s: of its training, and of gathering batches alone."""

    trained: float
    gathered: float

    @property
    def ratio(self) -> float:
        """To the same steps on batches that lie ready: gathering is not done beside a step."""
        return 1 - self.trained / self.gathered


def triplets(count: int, epochs: int, seed: int) -> Triplets:
    """Learn the projection of `count` pictures' features for `epochs`, of which the first is not
    counted."""
    config, clock = TripletConfig(), Clock()
    training, asked = _labelled(count, seed), _labelled(10 * _CLASSES, seed + 1)
    learn_projection(training, asked, config, epochs=epochs, seed=seed, progress=clock)
    rows = BalancedRows(training.codes, config.classes, config.pictures, seed)
    steps = clock.total // epochs
    pictures = steps * rows.classes * rows.pictures
    started = time.perf_counter()
    for number in range(steps):
        some = rows.rows(0, number)
        _ = training.features[some], training.codes[some]
    gathered = pictures / (time.perf_counter() - started)
    return Triplets(pictures / statistics.median(one.seconds for one in clock.epochs), gathered)


def _labelled(count: int, seed: int) -> Labelled:
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, _WIDTH), dtype=np.float32)
    return Labelled(features, np.arange(count) % _CLASSES)
