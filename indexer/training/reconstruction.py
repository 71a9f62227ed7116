"""Fitting an autoencoder on pictures and measuring how well it rebuilds others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training import can_draw
from indexer.training.autoencoder import encoder_part, network_input
from indexer.training.dataset import ImageBatches
from indexer.training.fit import History, fit
from indexer.training.recipe import Pictures
from indexer.training.training import TrainingConfig
from shared.types import EMBEDDING_SIZE, Pixels, Progress

KERAS_FILE, H5_FILE = "autoencoder.keras", "Conv_AE.h5"

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """One autoencoder and the pictures it is for. Where they are larger than what it takes, it is
    given means over squares of pixels."""

    autoencoder: Any
    pictures: Pictures
    config: TrainingConfig
    folder: Path
    """Where figures go."""

    def fit(self, progress: Progress) -> History:
        """Train until the validation loss no longer falls; draw `losses.png`."""
        pictures, config = self.pictures, self.config
        edge = self.autoencoder.input_shape[1]
        batches = {"batch_size": config.batch_size, "source": pictures.source, "edge": edge}
        history = fit(
            self.autoencoder,
            ImageBatches(pictures.training, **batches, seed=config.seed),
            ImageBatches(pictures.validation, **batches, flip=0, shuffle=False),
            epochs=config.max_epochs,
            patience=config.patience,
            learning_rate=config.learning_rate,
            progress=progress,
            checkpoint=pictures.checkpoint_of(self.autoencoder),
        )
        if can_draw():
            from indexer.training.figures import draw_losses

            draw_losses(history.loss, history.val_loss, self.folder / "losses.png")
        return history

    def validation_loss(self) -> float:
        """Mean squared error on the validation pictures, pixels in [0, 1]."""
        errors, count = 0.0, 0
        for _, pixels in self.pictures.chunks(self.pictures.validation):
            batch = network_input(self.autoencoder, pixels)
            errors += float(np.square(self._run(self.autoencoder, batch) - batch).mean()) * len(
                batch
            )
            count += len(batch)
        return errors / count

    def draw(self) -> None:
        """Draw `reconstructions.png`: some validation pictures and what becomes of them."""
        from indexer.training.figures import draw_reconstructions

        pixels = self.pictures.source.many(self.pictures.validation[:_SHOWN])
        batch = network_input(
            self.autoencoder, np.stack([one for one in pixels if one is not None])
        )
        rebuilt = self._run(self.autoencoder, batch)
        draw_reconstructions(batch, rebuilt, self.folder / "reconstructions.png")

    def metrics(self, history: History | None) -> dict[str, Any]:
        """The manifest's metrics, and the picture that goes with them; without a history those of a
        loaded model, which need not have a decoder."""
        found: dict[str, Any] = {
            "training": len(self.pictures.training),
            "validation": len(self.pictures.validation),
        }
        if self.autoencoder.output_shape == self.autoencoder.input_shape:
            found["val_loss"] = self.validation_loss()
            if can_draw():
                self.draw()
        return found | (history.metrics() if history is not None else {})

    def mean_latent(self, progress: Progress) -> NDArray[np.float32]:
        """float32 (512,): the mean over all pictures."""
        latent = encoder_part(self.autoencoder)
        total, count = np.zeros(EMBEDDING_SIZE, np.float64), 0
        with progress.stage("Centring", len(self.pictures.all)) as stage:
            for _, pixels in self.pictures.chunks(self.pictures.all):
                total += self._latents(latent, pixels).sum(axis=0, dtype=np.float64)
                count += len(pixels)
                stage.advance(len(pixels))
        return (total / count).astype(np.float32)

    def saved(self) -> dict[str, Any]:
        """The autoencoder by the names of its files in the bundle."""
        names = (KERAS_FILE, H5_FILE) if self.config.save_h5 else (KERAS_FILE,)
        return dict.fromkeys(names, self.autoencoder)

    def _latents(self, latent: Any, pixels: Pixels) -> NDArray[np.float32]:
        return self._run(latent, network_input(self.autoencoder, pixels))

    def _run(self, model: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = model(batch, training=False).numpy()
        return output
