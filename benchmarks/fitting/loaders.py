"""One network, fitted on the same batches: from an array in memory and by the product's loader."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fitting.epochs import Clock, Epoch
from indexer.training.autoencoder import build_autoencoder
from indexer.training.configs import AutoencoderConfig
from indexer.training.dataset import ImageBatches
from indexer.training.fit import fit, schedule
from indexer.training.runtime import keras
from indexer.training.source import CACHE_BYTES, PixelSource
from indexer.training.training import TrainingConfig
from shared.types import PixelSpec

CONFIG = TrainingConfig()
NETWORK = AutoencoderConfig()


@dataclass(frozen=True, slots=True)
class Way:
    """How the loader comes by pixels, and the folder for those that memory has no room for."""

    name: str
    cache_bytes: int
    scratch: Path | None


LIMIT = "array in memory (the limit)"


def ways(scratch: Path) -> tuple[Way, ...]:
    """Those of the product: all fits in memory, nothing does, and no disk either."""
    return (
        Way("kept in memory", CACHE_BYTES, None),
        Way("more than memory holds, kept on disk", 0, scratch),
        Way("decoded in every epoch", 0, None),
    )


class Contest:
    """The product's network as it is before the first step, and the pictures to fit it on."""

    def __init__(self, paths: Sequence[Path], epochs: int, seed: int) -> None:
        self._paths, self._epochs, self._seed = paths, epochs, seed
        self._network = build_autoencoder(NETWORK)
        self._weights = self._network.get_weights()
        with PixelSource(PixelSpec(NETWORK.picture)) as source:
            batches = self._batches(source)
            self._array = np.concatenate([batches[number][0] for number in range(len(batches))])

    def from_array(self) -> tuple[list[Epoch], float]:
        """Keras' own fit on an array of the very batches of the first epoch; see `by_loader`."""
        self._network.set_weights(self._weights)
        steps = -(-len(self._paths) // CONFIG.batch_size)
        rate = schedule(CONFIG.learning_rate, steps, self._epochs)
        optimizer = keras.optimizers.Adam(rate)
        self._network.compile(optimizer, loss="mse", jit_compile=False)
        clock, array, some = Clock(), self._array, self._array[: CONFIG.batch_size]
        done = self._network.fit(
            array,
            array,
            batch_size=CONFIG.batch_size,
            epochs=self._epochs,
            shuffle=False,
            validation_data=(some, some),
            verbose=0,
            callbacks=[_Told(clock)],
        )
        return clock.epochs, done.history["loss"][0]

    def by_loader(self, way: Way) -> tuple[list[Epoch], float]:
        """The product's fit with its loader: all epochs but the first, and the loss of that one."""
        self._network.set_weights(self._weights)
        clock = Clock()
        with _source(way) as source:
            if way.cache_bytes or way.scratch:
                source.inspect(self._paths)  # as every training does before
            history = fit(
                self._network,
                self._batches(source),
                ImageBatches(
                    self._paths[: CONFIG.batch_size],
                    CONFIG.batch_size,
                    source,
                    edge=NETWORK.size,
                    flip=0,
                    shuffle=False,
                ),
                epochs=self._epochs,
                patience=self._epochs,
                learning_rate=CONFIG.learning_rate,
                progress=clock,
            )
        return clock.epochs, history.loss[0]

    def loader_alone(self, way: Way) -> float:
        """Images/s of the loader with no network behind it."""
        with _source(way) as source:
            if way.cache_bytes or way.scratch:
                source.inspect(self._paths)
            batches = self._batches(source)
            started = time.perf_counter()
            for number in range(len(batches)):
                _ = batches[number]
            return len(self._paths) / (time.perf_counter() - started)

    def _batches(self, source: PixelSource) -> ImageBatches:
        size, edge = CONFIG.batch_size, NETWORK.size
        return ImageBatches(self._paths, size, source, edge=edge, seed=self._seed)


def _source(way: Way) -> PixelSource:
    spec = PixelSpec(NETWORK.picture)
    return PixelSource(
        spec, workers=CONFIG.workers, cache_bytes=way.cache_bytes, scratch=way.scratch
    )


class _Told(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a clock what the product's fit tells it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """One more step is done; the loss is looked at, as the product does."""
        logs.get("loss")
        self._clock.advance()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """One more epoch is done."""
        self._clock.note("")
