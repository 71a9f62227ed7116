"""From blocks of features to the 512 numbers that are stored.

Each block is centred, brought to unit length and weighted, so that the inner product of two
pictures is a weighted mean of how alike they are in shapes, textures, colours and layout. PCA keeps
those inner products as well as 512 numbers can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.projection import Features, fit_projection, projected
from indexer.training.runtime import keras
from shared.types import Pixels

Blocks = dict[str, NDArray[np.float32]]
"""float32 (n, d) by name: what a `features` model says of n pictures."""


class WeightedBlock(keras.layers.Layer):  # type: ignore[misc]
    """(n, d) less `centre`, brought to the length `sqrt(weight)`; a row at the centre stays 0."""

    def __init__(self, centre: NDArray[np.float32], weight: float, **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self._centre, self._length = centre, np.float32(np.sqrt(weight))

    def call(self, rows: Any) -> Any:
        """Centred, unit, weighted."""
        centred = rows - self._centre
        squared = keras.ops.sum(centred * centred, axis=-1, keepdims=True)
        return centred * (self._length / keras.ops.sqrt(squared + 1e-12))


def blocks_of(features: Any, batches: Iterable[Pixels]) -> Blocks:
    """What a Keras model of blocks, from float32 in [0, 1], says of uint8 pictures."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    for pixels in batches:
        batch = pixels.astype(np.float32) / np.float32(255)
        for name, rows in features(batch, training=False).items():
            found.setdefault(name, []).append(rows.numpy())
    return {name: np.concatenate(rows) for name, rows in found.items()}


def likeness_encoder(
    features: Any,
    blocks: Blocks,
    weights: Mapping[str, float],
    *,
    whiten: float,
    seed: int,
) -> tuple[Any, float]:
    """The graph that is exported, from uint8-valued float32 (n, size, size, 3) in [0, 255] to
    unit rows (n, 512), and the share of the features' variance that its 512 numbers keep.

    `features`: a Keras model from float32 in [0, 1] to blocks; `blocks`: what it says of the
    pictures to fit centres and PCA on. Blocks without a weight in `weights` are left out.
    """
    named = {
        name: WeightedBlock(blocks[name].mean(axis=0), weight, name=f"{name}_weighted")
        for name, weight in weights.items()
        if weight > 0
    }
    rows = {name: layer(blocks[name]).numpy() for name, layer in named.items()}
    whole: Features = np.concatenate(list(rows.values()), axis=1)
    projection = fit_projection(whole, seed, whiten)

    pixels = keras.Input(features.input_shape[1:], name="pixels")
    found = features(keras.layers.Rescaling(1 / 255)(pixels))
    joined = keras.ops.concatenate([layer(found[name]) for name, layer in named.items()], axis=-1)
    return keras.Model(pixels, projected(joined, projection)), projection.explained
