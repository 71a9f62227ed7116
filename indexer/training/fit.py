"""Fitting a network: every epoch reported, the best weights kept, an early stop, and after a kill
on from the last finished epoch to the very weights that it would have had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from indexer.training.checkpoint import Checkpoint
from indexer.training.course import Course, History, Mode
from indexer.training.runtime import keras, tensorflow
from shared.errors import TrainingError
from shared.types import Progress, Stage

__all__ = ["Batches", "History", "Mode", "fit", "schedule"]

_LAST_RATE = 0.01
"""Share of the learning rate that is left at the end."""

_WARM_UP = 0.1
"""Most of all steps that the learning rate takes to rise."""


class Batches(Protocol):
    """A `keras.utils.PyDataset` whose batches follow from `epoch`, the batch's number and its own
    seed alone. `failure`: why a batch could not be made, if one could not."""

    epoch: int
    failure: TrainingError | None

    def __len__(self) -> int:
        """Batches of an epoch."""
        ...


def fit(
    model: Any,
    training: Batches,
    validation: Batches,
    *,
    epochs: int,
    patience: int,
    learning_rate: float,
    progress: Progress,
    compile: Mapping[str, Any] | None = None,
    watch: str = "val_loss",
    mode: Mode = "min",
    checkpoint: Checkpoint | None = None,
) -> History:
    """Fit a built Keras model in place; afterwards its weights are those of the best epoch.

    `compile`: what `keras.Model.compile` is given besides Adam at the `schedule` of
    `learning_rate`; by default the mean squared error as loss. The best epoch is the one with the
    lowest or highest `watch`, as `mode` says; fitting stops after `patience` epochs without a
    better one.

    With a `checkpoint`, the state is written after every epoch, and a fit that was killed goes on
    from it. It ends with the same weights and history as one that was never killed, provided that
    layers draw random numbers from `keras.random.SeedGenerator`s of their own (as all of Keras' do)
    and TensorFlow is deterministic. The checkpoint stays: what follows may be killed, too.

    Raises `TrainingError` if the loss stops being a number or no picture of a batch can be read,
    ValueError if nothing called `watch` is logged.
    """
    _prepare(model, schedule(learning_rate, len(training), epochs), compile or {"loss": "mse"})
    course = Course(watch, mode)
    resumed = checkpoint.resume(model) if checkpoint is not None else None
    if resumed is not None:
        progress.say(f"going on after epoch {resumed.epoch} of {epochs}")
        course.restore(resumed.history, resumed.best)
    if not course.is_over(epochs, patience):
        left = (epochs - course.epoch) * len(training)
        with progress.stage("Training", left) as stage:
            each = _EachEpoch(course, stage, epochs, patience, (training, validation), checkpoint)
            _run(model, training, validation, course.epoch, epochs, each)
    if not course.is_finite():
        if checkpoint is not None:
            checkpoint.remove()  # it would lead here again
        raise TrainingError(
            f"the loss was no longer a number after epoch {course.epoch}: train with another seed"
        )
    model.set_weights(course.best_weights)
    return course.history()


def schedule(learning_rate: float, steps: int, epochs: int) -> Any:
    """The learning rate as a function of the step alone, given the steps of an epoch.

    A Keras `LearningRateSchedule`: rises linearly over the first epoch, or a tenth of all steps if
    that is less, then falls along half a cosine to a hundredth (Loshchilov & Hutter, *SGDR*, 2017).
    """
    total = steps * epochs
    rising = max(1, min(steps, int(total * _WARM_UP)))
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / rising,
        decay_steps=max(1, total - rising),
        alpha=_LAST_RATE,
        warmup_target=learning_rate,
        warmup_steps=rising,
    )


class _EachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves the stage on with every batch; after every epoch keeps, notes, stops and saves."""

    def __init__(
        self,
        course: Course,
        stage: Stage,
        epochs: int,
        patience: int,
        batches: tuple[Batches, Batches],
        checkpoint: Checkpoint | None,
    ) -> None:
        super().__init__()
        self._course, self._stage, self._checkpoint = course, stage, checkpoint
        self._epochs, self._patience = epochs, patience
        self._training, self._validation = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """The batches are those of this epoch, however many of them this process has seen."""
        self._training.epoch = epoch

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Every epoch is measured on the same batches."""
        self._validation.epoch = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """One more batch is done. A mean that is no number stays none: no use in going on."""
        self._stage.advance()
        if not math.isfinite(logs.get("loss", 0)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """One more epoch is done."""
        self._course.add(logs, self.model)
        if not self._course.is_finite():
            self.model.stop_training = True
            return
        self._stage.note(self._course.note(self._epochs))
        if self._course.is_over(self._epochs, self._patience):
            self.model.stop_training = True
        if self._checkpoint is not None:
            self._checkpoint.save(self.model, self._course.logged, self._course.best_weights)


def _prepare(model: Any, rate: Any, compile: Mapping[str, Any]) -> None:
    # jit_compile: XLA compiles for longer on a processor than it saves.
    model.compile(
        **({"optimizer": keras.optimizers.Adam(rate), "jit_compile": False} | dict(compile))
    )
    model.optimizer.build(model.trainable_variables)  # else its state comes with the first step


def _run(
    model: Any,
    training: Batches,
    validation: Batches,
    epoch: int,
    epochs: int,
    callback: _EachEpoch,
) -> None:
    try:
        model.fit(
            training,
            validation_data=validation,
            initial_epoch=epoch,
            epochs=epochs,
            shuffle=False,  # `training` shuffles itself, by its seed
            verbose=0,
            callbacks=[callback],
        )
    except tensorflow.errors.OpError as error:
        failure = training.failure or validation.failure
        if failure is not None:
            raise failure from error
        reason = str(error.message).strip().split("\n")[0]
        raise TrainingError(f"TensorFlow stopped the training: {reason}") from error
