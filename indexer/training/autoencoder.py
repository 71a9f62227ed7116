"""The convolutional autoencoder: shrink the picture, squeeze it into 512 numbers, draw it again.

After the article's network (filters, a dense 512-d latent, transposed convolutions), with batch
normalisation and leaky rectifiers, which reconstruct better after the same number of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.runtime import keras
from shared.types import EMBEDDING_SIZE, Pixels

LATENT = "latent"
"""Name of the dense layer whose 512 outputs are the embedding."""

_MOMENTUM = 0.9  # Keras' 0.99 takes hundreds of steps to warm up; a small folder has four an epoch.


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """`size`: edge of the square input, a multiple of 2 to the number of blocks. `filters`: one
    encoder block each, every block halves the edge. `kernel`: edge of the encoder's kernels."""

    size: int = 64
    filters: tuple[int, ...] = (32, 64, 128, 128)
    kernel: int = 3

    def __post_init__(self) -> None:
        if not self.filters or self.size % 2 ** len(self.filters):
            raise ValueError(f"size {self.size} cannot be halved {len(self.filters)} times")


def build_autoencoder(config: AutoencoderConfig) -> Any:
    """A `keras.Model` from float32 (n, size, size, 3) in [0, 1] to the same. Not compiled."""
    picture = keras.Input((config.size, config.size, 3), name="picture")
    features = picture
    for filters in config.filters:
        features = _shrink(features, filters, config.kernel)
    edge = config.size // 2 ** len(config.filters)
    shape = (edge, edge, config.filters[-1])

    features = keras.layers.Flatten()(features)
    latent = keras.layers.Dense(EMBEDDING_SIZE, name=LATENT)(features)

    features = keras.layers.Dense(math.prod(shape), activation="leaky_relu")(latent)
    features = keras.layers.Reshape(shape)(features)
    for filters in reversed(config.filters[:-1]):
        features = _grow(features, filters)
    drawn = keras.layers.Conv2DTranspose(
        3, 4, strides=2, padding="same", activation="sigmoid", name="drawn"
    )(features)
    return keras.Model(picture, drawn, name="autoencoder")


def encoder_part(autoencoder: Any) -> Any:
    """The `keras.Model` from the picture to the latent; shares the autoencoder's weights."""
    return keras.Model(autoencoder.input, autoencoder.get_layer(LATENT).output, name="encoder")


def takes_bytes(autoencoder: Any) -> bool:
    """Whether it rescales pixels itself and so takes [0, 255]; ours take [0, 1]."""
    return any(isinstance(layer, keras.layers.Rescaling) for layer in autoencoder.layers)


def network_input(autoencoder: Any, pixels: Pixels) -> NDArray[np.float32]:
    """uint8 (n, size, size, 3) as the float32 that the autoencoder takes."""
    scale = np.float32(1 if takes_bytes(autoencoder) else 255)
    return pixels.astype(np.float32) / scale


def _shrink(features: Any, filters: int, kernel: int) -> Any:
    features = keras.layers.Conv2D(filters, kernel, strides=2, padding="same", use_bias=False)(
        features
    )
    return _activated(features)


def _grow(features: Any, filters: int) -> Any:
    # A kernel that is a multiple of the stride covers every pixel equally often: no checkerboard.
    features = keras.layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(
        features
    )
    return _activated(features)


def _activated(features: Any) -> Any:
    features = keras.layers.BatchNormalization(momentum=_MOMENTUM)(features)
    return keras.layers.LeakyReLU(negative_slope=0.2)(features)
