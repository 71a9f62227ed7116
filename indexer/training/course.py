"""How a fit goes: what is logged after every epoch, which epoch is the best, when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from indexer.training.checkpoint import Weights

Mode = Literal["min", "max"]

_LOSSES = ("loss", "val_loss")


@dataclass(frozen=True, slots=True)
class History:
    """What was logged, one entry an epoch. For the autoencoder the losses are mean squared errors
    on pixels in [0, 1]: the article's two curves.

    `extra`: all else that was logged, by name. `watch`: which of them tells the best epoch, by its
    lowest (`mode` ``"min"``) or highest (``"max"``) value.
    """

    loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    extra: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    watch: str = "val_loss"
    mode: Mode = "min"

    @property
    def best(self) -> int:
        """Index of the epoch with the best watched value; the first of equals."""
        return _best(self._logged[self.watch], self.mode)

    def metrics(self) -> dict[str, Any]:
        """The kept epoch's values and all others, as JSON values."""
        best = self.best
        return {name: values[best] for name, values in self._logged.items()} | {
            "best_epoch": best + 1,
            "epochs_run": len(self.loss),
            "history": {name: list(values) for name, values in self._logged.items()},
        }

    @property
    def _logged(self) -> dict[str, tuple[float, ...]]:
        return {"loss": self.loss, "val_loss": self.val_loss, **self.extra}


class Course:
    """How a fit has gone so far: what was logged, and the weights of the best epoch."""

    def __init__(self, watch: str, mode: Mode) -> None:
        self.logged: dict[str, list[float]] = {}
        self.best_weights: Weights = []
        self._watch, self._mode = watch, mode

    def restore(self, logged: Mapping[str, Sequence[float]], best_weights: Weights) -> None:
        """Be where another course was."""
        self.logged = {name: list(values) for name, values in logged.items()}
        self.best_weights = best_weights

    def add(self, logs: Mapping[str, Any], model: Any) -> None:
        """One more epoch; keeps the weights if it is the best. Raises ValueError if `watch` is not
        logged."""
        if self._watch not in logs:
            raise ValueError(f"watch is {self._watch!r}: it must be one of {', '.join(logs)}")
        for name, value in logs.items():
            self.logged.setdefault(name, []).append(float(value))
        if self.is_finite() and self.best == self.epoch - 1:
            self.best_weights = model.get_weights()

    @property
    def epoch(self) -> int:
        """How many are finished."""
        return len(self.logged.get(self._watch, ()))

    @property
    def best(self) -> int:
        """Index of the best epoch, the first of equals."""
        return _best(self.logged[self._watch], self._mode)

    def is_finite(self) -> bool:
        """Whether there was an epoch, and losses and watched values are all numbers."""
        values = [self.logged.get(name, []) for name in {*_LOSSES, self._watch}]
        return self.epoch > 0 and all(math.isfinite(one) for some in values for one in some)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs were run, or `patience` of them did not get better."""
        return self.epoch > 0 and (self.epoch >= epochs or self.epoch - 1 - self.best >= patience)

    def note(self, epochs: int) -> str:
        """``epoch 7/50  loss 0.0312  validation 0.0330, lowest 0.0325 (epoch 5)``."""
        values = self.logged[self._watch]
        name = "validation" if self._watch == "val_loss" else self._watch
        extreme = "lowest" if self._mode == "min" else "highest"
        return (
            f"epoch {self.epoch}/{epochs}  loss {self.logged['loss'][-1]:.4f}  "
            f"{name} {values[-1]:.4f}, {extreme} {values[self.best]:.4f} (epoch {self.best + 1})"
        )

    def history(self) -> History:
        """The whole of it."""
        logged = {name: tuple(values) for name, values in self.logged.items()}
        loss, val_loss = (logged.pop(name) for name in _LOSSES)
        return History(loss, val_loss, logged, self._watch, self._mode)


def _best(values: Sequence[float], mode: Mode) -> int:
    return values.index(min(values) if mode == "min" else max(values))
