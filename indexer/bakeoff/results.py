"""What a comparison found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.bakeoff.entrants import Speed
from indexer.bakeoff.intervals import Interval, interval
from indexer.bakeoff.questions import Scores
from indexer.training.source import ImagePath


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """An encoder that was measured. `training_seconds` is None for one that lay in the home.

    `seen`: it knows the very labels that were asked for, so that its figures are no comparison.
    `note`: what a reader of its figures has to know.
    """

    name: str
    kind: str
    bundle: str
    scores: Scores
    speed: Speed
    encoder_bytes: int
    training_seconds: float | None
    seen: bool = False
    note: str | None = None

    @property
    def values(self) -> NDArray[np.float64]:
        """The figure that decides, one per query."""
        return deciding(self.scores)


@dataclass(frozen=True, slots=True)
class Failed:
    """An encoder that could not be trained, loaded or run, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation in words. `take`: the encoder, None if none can be recommended. `tied`:
    those that cannot be told apart from the best, best first, itself included."""

    sentences: tuple[str, ...]
    take: str | None
    tied: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`queries`: entries behind every mean. `protocol`: how was asked, in words. `floors` is None
    if there were too many pictures for them."""

    folder: Path
    pictures: int
    refused: tuple[tuple[ImagePath, str], ...]
    queries: int
    labelled: bool
    protocol: str
    held_out: float
    seed: int
    measured: tuple[Measured, ...]
    failed: tuple[Failed, ...]
    floors: Mapping[str, Scores] | None
    verdict: Verdict


def measure(scores: Scores) -> str:
    """The name of the figure that decides."""
    return next(iter(scores))


def deciding(scores: Scores) -> NDArray[np.float64]:
    """The figure that decides, one per query."""
    return scores[measure(scores)]


def spread(scores: Scores, seed: int) -> Interval:
    """Mean and 95 % interval of the figure that decides."""
    return interval(deciding(scores), seed)
