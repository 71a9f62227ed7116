"""The article's autoencoder: plain convolutions and poolings, a dense latent, and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from indexer.training.autoencoder import LATENT
from indexer.training.configs import PlainConfig
from indexer.training.export import complete_encoder, load_autoencoder
from indexer.training.recipe import Fitted, Pictures
from indexer.training.reconstruction import Reconstruction
from indexer.training.runtime import keras
from indexer.training.training import TrainingConfig
from shared.types import EMBEDDING_SIZE, PIXELS_VERSION, PixelSpec, Progress

_KERNEL = 3


def build_plain(config: PlainConfig) -> Any:
    """A `keras.Model` from float32 (n, size, size, 3) in [0, 1] to the same. Not compiled."""
    picture = keras.Input((config.size, config.size, 3), name="picture")
    features = picture
    for filters in config.filters:
        features = _convolved(features, filters)
        features = keras.layers.MaxPooling2D()(features)
    shape = features.shape[1:]
    latent = keras.layers.Dense(EMBEDDING_SIZE, name=LATENT)(keras.layers.Flatten()(features))

    features = keras.layers.Dense(math.prod(shape), activation="relu")(latent)
    features = keras.layers.Reshape(shape)(features)
    for filters in reversed(config.filters):
        features = keras.layers.UpSampling2D()(_convolved(features, filters))
    drawn = keras.layers.Conv2D(3, _KERNEL, padding="same", activation="sigmoid", name="drawn")
    return keras.Model(picture, drawn(features), name="autoencoder")


def _convolved(features: Any, filters: int) -> Any:
    return keras.layers.Conv2D(filters, _KERNEL, padding="same", activation="relu")(features)


class PlainRecipe:
    """The article's encoder, or whatever autoencoder was saved: its latent as it is, centred."""

    kind = PlainConfig.kind

    def __init__(self, network: PlainConfig, config: TrainingConfig) -> None:
        self._config = config
        if config.from_model is not None:
            self._autoencoder = load_autoencoder(config.from_model)
        else:
            self._autoencoder = build_plain(network)
        self.spec = PixelSpec(size=self._autoencoder.input_shape[1], version=PIXELS_VERSION)

    def fit(self, pictures: Pictures, figures: Path, progress: Progress) -> Fitted:
        """See `Recipe.fit`."""
        work = Reconstruction(self._autoencoder, pictures, self._config, figures)
        history = work.fit(progress) if self._config.from_model is None else None
        metrics = work.metrics(history)
        encoder = complete_encoder(self._autoencoder, work.mean_latent(progress))
        return Fitted(encoder, work.saved(), metrics)
