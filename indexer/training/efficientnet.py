"""Vectors from a network that already knows pictures: EfficientNet's features, cut to 512 by PCA
(Tan & Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, 2019)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from indexer.training import can_draw
from indexer.training.backbone import build_backbone
from indexer.training.configs import EfficientNetConfig
from indexer.training.projection import Features, fit_projection, projected
from indexer.training.recipe import Fitted, Pictures
from indexer.training.runtime import keras, tensorflow
from indexer.training.source import ImagePath
from indexer.training.training import TrainingConfig
from indexer.training.two_views import LOSS, fine_tune
from shared.errors import TrainingError
from shared.types import PIXELS_VERSION, PixelSpec, Progress

KERAS_FILE = "encoder.keras"

_SAMPLE = 20_000
"""Most pictures that the projection is fitted on: forty for each direction that it keeps."""

_AT_ONCE = 8
"""Pictures in the network at a time. On a processor more are no faster, but B7 would want 80 MB for
each in its first stage alone."""

_STREAM = 5  # first word of the random stream's key; `dataset.py` and `two_views.py` have 1 to 4


class EfficientNetRecipe:
    """Projects the features of an EfficientNet, fine-tuned first if `network` says so.

    Raises `TrainingError` if the weights cannot be had, or another model is to be taken.
    """

    def __init__(self, network: EfficientNetConfig, config: TrainingConfig) -> None:
        if config.from_model is not None:
            raise TrainingError(
                f"model {config.from_model}: {network.kind} takes no whole model, "
                "give its weights with --weights"
            )
        self._network, self._config = network, config
        self._backbone = build_backbone(network)
        self.kind = network.kind
        self.spec = PixelSpec(size=network.edge, version=PIXELS_VERSION)

    def fit(self, pictures: Pictures, figures: Path, progress: Progress) -> Fitted:
        """See `Recipe.fit`.

        The graph is not quantized: with trained weights int8 turned vectors by up to 24 degrees,
        kept 81 % of the ten nearest, and took longer, not less.
        """
        metrics = self._fine_tune(pictures, figures, progress) if self._network.fine_tune else {}
        features = self._features(pictures, self._sample(pictures), progress)
        projection = fit_projection(features, self._config.seed)
        encoder = keras.Model(self._backbone.input, projected(self._backbone.output, projection))
        metrics |= {
            "variant": self._network.variant,
            "weights": self._origin,
            "features": features.shape[1],
            "explained": projection.explained,
        }
        return Fitted(encoder, {KERAS_FILE: encoder}, metrics, quantize=False)

    @property
    def _origin(self) -> str:
        """Where the weights came from: a file's name, or ``"imagenet"``."""
        return "imagenet" if self._network.weights is None else self._network.weights.name

    def _fine_tune(self, pictures: Pictures, folder: Path, progress: Progress) -> dict[str, Any]:
        history = fine_tune(self._backbone, self._network, self._config, pictures, progress)
        if can_draw():
            from indexer.training.figures import draw_losses

            draw_losses(history.loss, history.val_loss, folder / "losses.png", LOSS)
        return {
            "training": len(pictures.training),
            "validation": len(pictures.validation),
        } | history.metrics()

    def _sample(self, pictures: Pictures) -> list[ImagePath]:
        """The pictures to project, in the order of the paths; all, unless there are very many."""
        count = len(pictures.all)
        if count <= _SAMPLE:
            return list(pictures.all)
        random = np.random.default_rng((_STREAM, self._config.seed))
        rows = np.sort(random.choice(count, _SAMPLE, replace=False))
        return [pictures.all[row] for row in rows]

    def _features(self, pictures: Pictures, paths: list[ImagePath], progress: Progress) -> Features:
        """float32 (n, d), a row for every picture that can still be read.

        Raises `TrainingError` if they are not finite, which is the weights' fault.
        """
        shape = tensorflow.TensorSpec([None, *self._backbone.input_shape[1:]], tensorflow.float32)
        run = tensorflow.function(
            lambda batch: self._backbone(batch, training=False), input_signature=[shape]
        )
        rows: list[Features] = []
        with progress.stage("Looking at pictures", len(paths)) as stage:
            for some, pixels in pictures.chunks(paths):
                for start in range(0, len(pixels), _AT_ONCE):
                    batch = pixels[start : start + _AT_ONCE].astype(np.float32)
                    rows.append(run(batch).numpy())
                stage.advance(len(some))
        features: Features = np.concatenate(rows)
        if not np.isfinite(features).all():
            raise TrainingError(
                f"weights {self._origin} give features that are no numbers: give another file"
            )
        return features
