"""Fitting the autoencoder: loss of every epoch reported, the best weights kept, an early stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from indexer.training.dataset import ImageBatches
from indexer.training.runtime import keras, tensorflow
from shared.errors import TrainingError
from shared.types import Progress, Stage


@dataclass(frozen=True, slots=True)
class History:
    """Mean squared error on pixels in [0, 1], one entry an epoch: the article's two curves."""

    loss: tuple[float, ...]
    val_loss: tuple[float, ...]

    @property
    def best(self) -> int:
        """Index of the epoch with the lowest validation loss; the first of equals."""
        return self.val_loss.index(min(self.val_loss))


def fit(
    autoencoder: Any,
    training: ImageBatches,
    validation: ImageBatches,
    *,
    epochs: int,
    patience: int,
    learning_rate: float,
    progress: Progress,
) -> History:
    """Fit in place; afterwards the weights are those of the lowest validation loss.

    Stops after `patience` epochs without a new lowest loss. The learning rate is halved after a
    third of that. Raises `TrainingError` if the loss stops being a number.
    """
    # jit_compile: XLA compiles for longer on a processor than it saves.
    autoencoder.compile(
        optimizer=keras.optimizers.Adam(learning_rate), loss="mse", jit_compile=False
    )
    with progress.stage("Training", epochs * len(training)) as stage:
        callbacks = [
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(1, patience // 3)),
            keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True),
            ReportLosses(stage, epochs),
        ]
        history = _run(autoencoder, training, validation, epochs, callbacks)
    losses = History(tuple(history["loss"]), tuple(history.get("val_loss", ())))
    if not losses.val_loss or not all(map(math.isfinite, losses.loss + losses.val_loss)):
        raise TrainingError(
            f"the loss was no longer a number after epoch {len(losses.loss)}: "
            "train with another seed"
        )
    return losses


def _run(
    autoencoder: Any,
    training: ImageBatches,
    validation: ImageBatches,
    epochs: int,
    callbacks: list[Any],
) -> dict[str, list[float]]:
    try:
        fitted = autoencoder.fit(
            training,
            validation_data=validation,
            epochs=epochs,
            shuffle=False,  # `training` shuffles itself, by its seed
            verbose=0,
            callbacks=callbacks,
        )
    except tensorflow.errors.OpError as error:
        failure = training.failure or validation.failure
        if failure is not None:
            raise failure from error
        reason = str(error.message).strip().split("\n")[0]
        raise TrainingError(f"TensorFlow stopped the training: {reason}") from error
    history: dict[str, list[float]] = fitted.history
    return history


class ReportLosses(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves the stage on with every batch and notes both losses after every epoch."""

    def __init__(self, stage: Stage, epochs: int) -> None:
        super().__init__()
        self._stage, self._epochs = stage, epochs
        self._best, self._best_epoch = math.inf, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """One more batch is done."""
        self._stage.advance()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """``epoch 7/50  loss 0.0312  validation 0.0330, lowest 0.0325 (epoch 5)``."""
        loss, val_loss = float(logs["loss"]), float(logs["val_loss"])
        if val_loss < self._best:
            self._best, self._best_epoch = val_loss, epoch + 1
        self._stage.note(
            f"epoch {epoch + 1}/{self._epochs}  loss {loss:.4f}  validation {val_loss:.4f}, "
            f"lowest {self._best:.4f} (epoch {self._best_epoch})"
        )
