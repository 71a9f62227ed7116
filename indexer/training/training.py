"""A whole training: pictures in, an encoder bundle and a clustering out.

TensorFlow takes seconds to import. It comes in only after what can be refused without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.training import MIN_IMAGES, require_tensorflow
from indexer.training.configs import AutoencoderConfig, EncoderConfig
from indexer.training.source import ImagePath, PixelSource, check_images
from shared.errors import TrainingError
from shared.files import folder_beside
from shared.models import Models, Pair
from shared.reading import Limits
from shared.types import Progress

_FREE_BYTES = 256 * 2**20
"""Disk that a training needs: the autoencoder twice over, once more while it is converted, figures,
and room to spare. Most of it is two checkpoints, one of them being written: each is four times the
weights, with the optimizer's two moments and the best weights so far."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train. `encoder`: which kind, and what it alone needs to know. `epochs` None means
    that kind's own number. `patience` is in epochs; `k` None means the elbow.

    `starter`: whether the default network may begin with the weights of the encoder that ships.
    `from_model`: a saved `.keras` or `.h5` to export instead of fitting one; its input gives the
    size.
    """

    encoder: EncoderConfig = field(default_factory=AutoencoderConfig)
    epochs: int | None = None
    seed: int = 0
    k: int | None = None
    validation_share: float = 0.15
    batch_size: int = 32
    patience: int = 10
    learning_rate: float = 1e-3
    save_h5: bool = False
    starter: bool = True
    from_model: Path | None = None
    workers: int = 2
    """Threads that decode."""
    fresh: bool = False
    """Begin anew, even where a killed training of the same kind and pictures could go on."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "batch_size", "patience", "workers"):
            if getattr(self, name) < 1:
                shown = name.removeprefix("max_")
                raise TrainingError(f"{shown} is {getattr(self, name)}: it must be at least 1")
        if not 0 <= self.seed < 2**32:
            raise TrainingError(f"seed is {self.seed}: it must be between 0 and {2**32 - 1}")
        if not 0 < self.validation_share < 1:
            raise TrainingError(
                f"validation share is {self.validation_share}: it must be between 0 and 1"
            )

    @property
    def max_epochs(self) -> int:
        """Most passes through the pictures."""
        return self.encoder.epochs if self.epochs is None else self.epochs


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came out. `metrics` are those of the manifest; `figures` and `bundle` lie in the home.

    Nothing is current yet: the caller decides whether `pair` answers now or is filled first.
    """

    pair: Pair
    bundle: Path
    metrics: Mapping[str, Any]
    k: int
    chosen_by: str
    sizes: tuple[int, ...]
    images: int
    refused: tuple[tuple[ImagePath, str], ...]
    figures: tuple[Path, ...]


def train(
    paths: Sequence[ImagePath],
    models: Models,
    config: TrainingConfig,
    progress: Progress,
    limits: Limits | None = None,
) -> TrainingResult:
    """Fit an encoder and K-Means on pictures, and add both to `models`.

    Seeds the whole process and makes TensorFlow deterministic: run it in a process of its own. If
    that process is killed, the same call goes on after the last finished epoch.
    Raises `TrainingError` with one line: too few images, none readable, k too large, not enough
    disk, the extra missing, or a model to load that is not one.
    """
    require_tensorflow()
    _check_count(len(paths), config, "images")
    _check_disk(models.root, config)
    from indexer.training.build import Build
    from indexer.training.recipe import recipe_for
    from indexer.training.runtime import make_repeatable

    make_repeatable(config.seed)
    recipe = recipe_for(config)
    scratch = models.root
    with PixelSource(recipe.spec, limits, workers=config.workers, scratch=scratch) as source:
        checked = check_images(paths, source, progress)
        if not checked.good:
            path, reason = checked.refused[0]
            raise TrainingError(
                f"none of {len(paths)} images can be read; the first, {path!r}: {reason}"
            )
        _check_count(len(checked.good), config, "readable images")
        try:
            with folder_beside(models.root / "encoders") as folder:
                return Build(recipe, source, checked, config, progress, folder).run(models)
        except OSError as error:
            raise TrainingError(f"cannot write models to {models.root}: {error}") from error


def _check_count(count: int, config: TrainingConfig, what: str) -> None:
    if count < MIN_IMAGES:
        raise TrainingError(f"{count} {what}, at least {MIN_IMAGES} are needed: add more")
    if config.k is not None and not 1 <= config.k <= count:
        raise TrainingError(f"k = {config.k} with {count} {what}: give 1 to {count}, or auto")


def _check_disk(root: Path, config: TrainingConfig) -> None:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    needed = _FREE_BYTES
    if config.from_model is not None and config.from_model.exists():
        needed += 3 * config.from_model.stat().st_size
    free = shutil.disk_usage(there).free
    if free < needed:
        raise TrainingError(
            f"{free / 2**20:.0f} MiB free at {there}, training needs {needed / 2**20:.0f} MiB: "
            "free some or choose another --home"
        )
