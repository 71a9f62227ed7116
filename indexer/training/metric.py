"""Learning a projection from labels: pictures with one label shall lie together, others apart.

Features are fixed; only the last, linear step to 512 numbers is learnt. So an epoch takes a second,
and a few hundred pictures do not lead to a network that knows them by heart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from indexer.training.balanced import BalancedRows
from indexer.training.configs import TripletConfig
from indexer.training.course import History
from indexer.training.fit import schedule
from indexer.training.mining import MINING, squared_distances, triplet_loss
from indexer.training.projection import Features, Projection
from indexer.training.runtime import keras
from shared.errors import TrainingError
from shared.evaluation import mean_precision_at_k
from shared.types import EMBEDDING_SIZE, Embeddings, Progress

_DIRECTIONS = 1024
"""Most directions of the features that the projection is learnt in; the others hold next to
nothing."""

_LEAST_STEPS = 30
"""Of an epoch, however few the pictures: a handful would leave the projection as it begins."""

_NEAREST = 10

Codes = NDArray[np.int64]
"""int64 (n,): the class of each picture."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Features float32 (n, d) of n pictures and their classes."""

    features: Features
    codes: Codes


@dataclass(frozen=True, slots=True)
class Learnt:
    """A projection and how it was learnt. `history.extra["val_p_at_10"]` has P@10 after every
    epoch, `start` is P@10 before the first."""

    projection: Projection
    history: History
    start: float

    def metrics(self) -> dict[str, Any]:
        """As `History.metrics`, with ``start_p_at_10``; the best epoch is 0 where none was better
        than the start."""
        found = self.history.metrics()
        if found["val_p_at_10"] <= self.start:
            found |= {"best_epoch": 0, "val_p_at_10": self.start}
        return found | {"start_p_at_10": self.start}


def learn_projection(
    training: Labelled,
    validation: Labelled,
    config: TripletConfig,
    *,
    epochs: int,
    seed: int,
    progress: Progress,
) -> Learnt:
    """The projection of the epoch with the highest P@10, every validation picture being a query
    against the training pictures. It begins as PCA, and stays that if no epoch is better.

    Raises `TrainingError` if the loss stops being a number.
    """
    count = min(_DIRECTIONS, len(training.features) - 1, training.features.shape[1])
    # One thread: several add up in an order that differs from run to run. Pictures that are all
    # alike have no variance to divide by.
    with threadpool_limits(1), np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(count, svd_solver="randomized", random_state=seed).fit(training.features)
        turned = [pca.transform(each.features) for each in (training, validation)]
    length = np.sqrt(np.square(turned[0]).sum(axis=1).mean())
    scale = np.float32(1 / length if length > 0 else 1)
    learnt, history, start = _Fit(
        Labelled(turned[0] * scale, training.codes),
        Labelled(turned[1] * scale, validation.codes),
        config,
    ).run(epochs, seed, progress)
    components = pca.components_.T.astype(np.float32) @ (learnt * scale)
    projection = Projection(pca.mean_.astype(np.float32), components, float("nan"))
    return Learnt(projection, history, start)


def precision(points: Embeddings, codes: Codes, queries: Embeddings, asked: Codes) -> float:
    """P@10 of queries against points, by cosine."""
    relevant = []
    for query, code in zip(queries, asked, strict=True):
        nearest = np.argsort(-(points @ query), kind="stable")[:_NEAREST]
        relevant.append(codes[nearest] == code)
    return mean_precision_at_k(relevant, _NEAREST)


def batch_loss(mining: str, margin: float, codes: Any, vectors: Any) -> Any:
    """The triplet loss of a batch, as Keras calls it: classes (n, 1) and unit rows (n, 512)."""
    ops = keras.ops
    codes = ops.reshape(codes, (-1,))
    same = ops.equal(codes[:, None], codes[None, :])
    itself = ops.cast(ops.eye(ops.shape(vectors)[0]), "bool")
    positives = ops.logical_and(same, ops.logical_not(itself))
    triplets = MINING[mining](squared_distances(vectors, vectors), positives, ops.logical_not(same))
    return triplet_loss(*triplets, margin=margin)


class _Fit:
    def __init__(self, training: Labelled, validation: Labelled, config: TripletConfig) -> None:
        self._training, self._validation, self._config = training, validation, config
        width = training.features.shape[1]
        self._layer = keras.layers.Dense(EMBEDDING_SIZE, use_bias=False)
        self._model = keras.Sequential(
            [keras.Input((width,)), self._layer, keras.layers.UnitNormalization()]
        )
        self._layer.set_weights([np.eye(width, EMBEDDING_SIZE, dtype=np.float32)])

    def run(
        self, epochs: int, seed: int, progress: Progress
    ) -> tuple[NDArray[np.float32], History, float]:
        """The best kernel, how it went, and P@10 before."""
        config = self._config
        batches = BalancedRows(
            self._training.codes, config.classes, config.pictures, seed, least=_LEAST_STEPS
        )
        asked = BalancedRows(self._validation.codes, config.classes, config.pictures, seed)
        self._model.compile(
            keras.optimizers.Adam(schedule(config.learning_rate, len(batches), epochs)),
            loss=partial(batch_loss, config.mining, config.margin),
            jit_compile=False,
        )
        losses: list[float] = []
        val_losses: list[float] = []
        found: list[float] = []
        start = self._precision()
        best = self._layer.get_weights()[0]
        with progress.stage("Learning labels", epochs * len(batches)) as stage:
            for epoch in range(epochs):
                losses.append(self._epoch(batches, epoch, stage))
                val_losses.append(self._loss(asked))
                if not math.isfinite(losses[-1] + val_losses[-1]):
                    raise TrainingError(
                        f"the triplet loss was no longer a number after epoch {epoch + 1}: "
                        "train with another seed"
                    )
                found.append(self._precision())
                if found[-1] > max([start, *found[:-1]]):
                    best = self._layer.get_weights()[0]
                stage.note(
                    f"epoch {epoch + 1}/{epochs}  loss {losses[-1]:.4f}  "
                    f"P@10 {found[-1]:.3f}, best {max(found):.3f}, at the start {start:.3f}"
                )
        extra = {"val_p_at_10": tuple(found)}
        history = History(tuple(losses), tuple(val_losses), extra, "val_p_at_10", "max")
        return best, history, start

    def _epoch(self, batches: BalancedRows, epoch: int, stage: Any) -> float:
        total = 0.0
        for index in range(len(batches)):
            rows = batches.rows(epoch, index)
            total += float(
                self._model.train_on_batch(
                    self._training.features[rows], self._training.codes[rows]
                )
            )
            self._model.reset_metrics()
            stage.advance()
        return total / len(batches)

    def _loss(self, batches: BalancedRows) -> float:
        total = 0.0
        for index in range(len(batches)):
            rows = batches.rows(0, index)
            total += float(
                self._model.test_on_batch(
                    self._validation.features[rows], self._validation.codes[rows]
                )
            )
            self._model.reset_metrics()
        return total / len(batches)

    def _precision(self) -> float:
        points, queries = (
            self._model.predict_on_batch(each.features)
            for each in (self._training, self._validation)
        )
        return precision(points, self._training.codes, queries, self._validation.codes)
