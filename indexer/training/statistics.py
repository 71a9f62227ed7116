"""What the default encoder knows of a picture beside the autoencoder's latent: statistics of its
patches, against vocabularies fitted on the user's own pictures. No labels are needed.

`docs/encoder.md` tells what each is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.descriptors import (
    colour_cells,
    gradient_cells,
    layout,
    mirrored,
    mirrored_gradients,
    of_unit_length,
    patches,
    shrunk,
    with_places,
)
from indexer.training.fisher import FisherVectors, Vocabulary, fit_vocabulary
from indexer.training.runtime import keras
from shared.types import Pixels, Progress

_PATCHES = 40_000
"""Descriptors that a vocabulary is fitted on; more change nothing that could be measured."""

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class PatchStatistic:
    """Patches of a picture, as Fisher vectors over `words` Gaussians of `dimensions` each.

    `cells`: from a picture to the cells that patches are cut from, `block` x `block` at every
    `step`-th; `mirror`: those cells of the flipped picture. `as_direction`: a patch's contrast does
    not count. `extent`: how much its place does, see `with_places`.
    """

    cells: Callable[[Any], Any]
    mirror: Callable[[Any], Any]
    block: int
    step: int
    as_direction: bool
    extent: float
    words: int = 32
    dimensions: int = 32

    def patches(self, cells: Any) -> Any:
        """(n, patches, d) of cells."""
        rows = patches(cells, block=self.block, step=self.step)
        return with_places(of_unit_length(rows) if self.as_direction else rows, self.extent)


PATCH_STATISTICS: Mapping[str, PatchStatistic] = {
    "shapes": PatchStatistic(
        cells=lambda picture: gradient_cells(shrunk(picture, 2), 4),
        mirror=mirrored_gradients,
        block=4,
        step=1,
        as_direction=True,
        extent=0.7,
    ),
    "textures": PatchStatistic(
        cells=lambda picture: gradient_cells(picture, 4),
        mirror=mirrored_gradients,
        block=4,
        step=2,
        as_direction=True,
        extent=0.7,
    ),
    "colours": PatchStatistic(
        cells=lambda picture: colour_cells(shrunk(picture, 2), 2),
        mirror=mirrored,
        block=2,
        step=2,
        as_direction=False,
        extent=0.5,
        dimensions=24,
    ),
}
"""Edges in patches of a quarter of the picture and of an eighth, and colours in small ones."""


def statistics(size: int, vocabularies: Mapping[str, Vocabulary]) -> Any:
    """A `keras.Model` from float32 (n, size, size, 3) in [0, 1] to a dictionary of blocks, float32
    (n, d) each: a Fisher vector for each of `PATCH_STATISTICS`, and ``"layout"``, where in the
    picture edges run which way.

    Every block is the mean of the picture's and of the flipped picture's: a thing that looks left
    is like the same thing that looks right.
    """
    picture = keras.Input((size, size, 3), name="picture")
    cells = {name: kind.cells(picture) for name, kind in PATCH_STATISTICS.items()}
    blocks = {}
    for name, kind in PATCH_STATISTICS.items():
        fisher = FisherVectors(vocabularies[name], name=name)
        both = [fisher(kind.patches(each)) for each in (cells[name], kind.mirror(cells[name]))]
        blocks[name] = keras.layers.Average()(both)
    coarse = shrunk(cells["shapes"], 2)
    both = [layout(each) for each in (coarse, mirrored_gradients(coarse))]
    blocks["layout"] = keras.layers.Average()(both)
    return keras.Model(picture, blocks, name="statistics")


def fit_vocabularies(pictures: Pixels, seed: int, progress: Progress) -> dict[str, Vocabulary]:
    """Vocabularies for all `PATCH_STATISTICS` from uint8 (n, size, size, 3), a few hundred of them.

    Every picture gives equally many patches, drawn by `seed`.
    """
    fitted = {}
    with progress.stage("Learning patches", len(PATCH_STATISTICS)) as stage:
        for name, kind in PATCH_STATISTICS.items():
            rows = _sample(kind, pictures, seed)
            fitted[name] = fit_vocabulary(
                rows, words=kind.words, dimensions=kind.dimensions, seed=seed
            )
            stage.advance()
    return fitted


def _sample(kind: PatchStatistic, pictures: Pixels, seed: int) -> NDArray[np.float32]:
    size = pictures.shape[1]
    picture = keras.Input((size, size, 3))
    model = keras.Model(picture, kind.patches(kind.cells(picture)))
    of_each = max(1, _PATCHES // len(pictures))
    random = np.random.default_rng(seed)
    kept: list[NDArray[np.float32]] = []
    for start in range(0, len(pictures), _AT_ONCE):
        batch = pictures[start : start + _AT_ONCE].astype(np.float32) / np.float32(255)
        found: NDArray[np.float32] = model(batch, training=False).numpy()
        kept += [of_one[random.permutation(len(of_one))[:of_each]] for of_one in found]
    return np.concatenate(kept)
