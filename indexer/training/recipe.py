"""What every kind of encoder has in common: pictures go in, a graph from pixels to vectors comes
out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from indexer.training.checkpoint import Checkpoint, Checkpoints
from indexer.training.configs import (
    AutoencoderConfig,
    EfficientNetConfig,
    PlainConfig,
    TripletConfig,
)
from indexer.training.source import CheckedImages, ImagePath, PixelSource
from shared.types import Pixels, PixelSpec, Progress

if TYPE_CHECKING:
    from indexer.training.training import TrainingConfig

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Pictures:
    """The readable pictures of one training. `training` and `validation` are disjoint and together
    all of `checked.good`. `checkpoints`: where fitting on them leaves what it can go on from."""

    source: PixelSource
    checked: CheckedImages
    training: Sequence[ImagePath]
    validation: Sequence[ImagePath]
    checkpoints: Checkpoints | None = None

    @property
    def all(self) -> Sequence[ImagePath]:
        """Every readable picture, in the order of the paths."""
        return self.checked.good

    def checkpoint_of(
        self, model: Any, about: Mapping[str, Any] | None = None
    ) -> Checkpoint | None:
        """The checkpoint of one fit of a built Keras model; see `Checkpoints.of`."""
        return None if self.checkpoints is None else self.checkpoints.of(model, about)

    def draw(self, paths: Sequence[ImagePath], most: int, key: tuple[int, ...]) -> list[ImagePath]:
        """At most so many of the paths, in their order, drawn by the key of a random stream."""
        if len(paths) <= most:
            return list(paths)
        rows = np.random.default_rng(key).permutation(len(paths))[:most]
        return [paths[row] for row in sorted(rows.tolist())]

    def sample(self, paths: Sequence[ImagePath], most: int, key: tuple[int, ...]) -> Pixels:
        """uint8 (n, size, size, 3) of at most so many of the paths, drawn as by `draw`."""
        return np.concatenate([pixels for _, pixels in self.chunks(self.draw(paths, most, key))])

    def chunks(self, paths: Sequence[ImagePath]) -> Iterator[tuple[list[ImagePath], Pixels]]:
        """Paths and their pixels, some at a time; a file that has vanished since is left out."""
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            found = [
                (path, picture)
                for path, picture in zip(some, self.source.many(some), strict=True)
                if picture is not None
            ]
            if found:
                yield [path for path, _ in found], np.stack([picture for _, picture in found])


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a recipe leaves. `encoder`: the Keras graph that is exported, from uint8-valued float32
    (n, size, size, 3) in [0, 255] to float32 (n, 512), centred, unit rows; all that follows the
    pixels is inside it. `saved`: further Keras models for the bundle, by file name. `metrics`: JSON
    values for the manifest. `quantize`: whether the graph bears weights of 8 bits."""

    encoder: Any
    saved: Mapping[str, Any]
    metrics: Mapping[str, Any]
    quantize: bool = True


class Recipe(Protocol):
    """One kind of encoder, ready to be fitted."""

    @property
    def kind(self) -> str:
        """What the bundle's manifest calls it."""
        ...

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels that it takes."""
        ...

    def fit(self, pictures: Pictures, figures: Path, progress: Progress) -> Fitted:
        """Fit on the pictures and draw how it went into the folder `figures`, which need not exist.

        Raises `TrainingError` with one line.
        """
        ...


def recipe_for(config: TrainingConfig) -> Recipe:
    """The recipe of `config.encoder`; imports only what that one needs.

    Raises `TrainingError` if what it starts from cannot be loaded.
    """
    encoder = config.encoder
    match encoder:
        case EfficientNetConfig():
            from indexer.training.efficientnet import EfficientNetRecipe

            return EfficientNetRecipe(encoder, config)
        case TripletConfig():
            from indexer.training.triplet import TripletRecipe

            return TripletRecipe(encoder, config)
        case AutoencoderConfig() if config.from_model is None:
            from indexer.training.autoencoder_recipe import AutoencoderRecipe

            return AutoencoderRecipe(encoder, config)
        case _:
            from indexer.training.plain import PlainRecipe

            plain = encoder if isinstance(encoder, PlainConfig) else PlainConfig()
            return PlainRecipe(plain, config)
