"""What to compare, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer.training.configs import AutoencoderConfig, PlainConfig, TripletConfig

TRAINED_BY_DEFAULT = (AutoencoderConfig.kind, PlainConfig.kind)

LEARN_FROM_LABELS = (TripletConfig.kind,)
"""Kinds that must not be asked for the labels that they were trained on."""
HELD_OUT_FOR_LABELS = 0.2
"""Share held out if one of them takes part."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare. `encoders`: kinds, *current*, ids of bundles in the home; none means the two
    autoencoders and all that the home holds. `held_out`: a share, None for 0 or, where a kind
    learns from labels, a fifth. `labels`: a CSV; None means the first folder level. `by_labels`:
    whether to use labels at all. `keep`: the trained bundles go into the home."""

    folder: Path
    encoders: tuple[str, ...] = ()
    epochs: int | None = None
    seed: int = 0
    held_out: float | None = None
    sample: int | None = None
    labels: Path | None = None
    by_labels: bool = True
    exclude: tuple[str, ...] = ()
    keep: bool = False
    debug: bool = False

    @property
    def share(self) -> float:
        """The share that is held out."""
        if self.held_out is not None:
            return self.held_out
        return HELD_OUT_FOR_LABELS if set(self.encoders) & set(LEARN_FROM_LABELS) else 0.0
