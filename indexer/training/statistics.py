"""What the default encoder knows of a picture beside the autoencoder's latent: statistics of its
patches, against vocabularies fitted on the user's own pictures. No labels are needed.

`docs/encoder.md` tells what each is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.descriptors import (
    OPPOSITE,
    colour_cells,
    gradient_cells,
    layout,
    mirrored_gradients,
    mirrored_order,
    of_unit_length,
    patches,
    places,
    shrunk,
)
from indexer.training.fisher import FisherVectors, View, Vocabulary, fit_vocabulary
from indexer.training.runtime import keras
from shared.types import Pixels, Progress

_PATCHES = 40_000
"""Descriptors that a vocabulary is fitted on; more change nothing that could be measured."""

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class PatchStatistic:
    """Patches of a picture, as Fisher vectors over `words` Gaussians of `dimensions` each.

    `cells`: from a picture to the cells that patches are cut from, `block` x `block` at every
    `step`-th; `mirror`: for each channel of a cell the one that it is in the flipped picture.
    `as_direction`: a patch's contrast does not count. `extent`: how much its place does, see
    `places`.
    """

    cells: Callable[[Any], Any]
    mirror: Sequence[int]
    block: int
    step: int
    as_direction: bool
    extent: float
    words: int = 32
    dimensions: int = 32

    def patches(self, picture: Any) -> Any:
        """(n, patches, d) of a picture."""
        rows = patches(self.cells(picture), block=self.block, step=self.step)
        return of_unit_length(rows) if self.as_direction else rows

    def with_places(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, patches, d + 2): what vocabularies are fitted on."""
        there = np.broadcast_to(places(rows.shape[1], self.extent), (*rows.shape[:2], 2))
        return np.concatenate([rows, there], axis=-1)

    def views(self, patches: int, vocabulary: Vocabulary) -> tuple[View, View]:
        """The patches of the picture, and what the flipped picture would have in their place."""
        look, place = vocabulary.basis[:-2], vocabulary.basis[-2:]
        there, centre = places(patches, self.extent), vocabulary.mean @ vocabulary.basis
        order = mirrored_order(self.mirror, block=self.block, step=self.step)
        flipped = np.empty_like(look)
        flipped[order] = look
        return (
            View(look, there @ place - centre),
            View(flipped, (there * np.array([1, -1], np.float32)) @ place - centre),
        )

    def fisher_vectors(self, picture: Any, vocabulary: Vocabulary, name: str) -> Any:
        """(n, 2 * words * dimensions), the mean of the picture's and of the flipped picture's: a
        thing that looks left is like the same thing that looks right."""
        rows = self.patches(picture)
        return FisherVectors(vocabulary, self.views(rows.shape[1], vocabulary), name=name)(rows)


PATCH_STATISTICS: Mapping[str, PatchStatistic] = {
    "shapes": PatchStatistic(
        cells=lambda picture: gradient_cells(shrunk(picture, 2), 4),
        mirror=OPPOSITE,
        block=4,
        step=1,
        as_direction=True,
        extent=0.7,
    ),
    "textures": PatchStatistic(
        cells=lambda picture: gradient_cells(picture, 4),
        mirror=OPPOSITE,
        block=4,
        step=2,
        as_direction=True,
        extent=0.7,
    ),
    "colours": PatchStatistic(
        cells=lambda picture: colour_cells(shrunk(picture, 2), 2),
        mirror=range(6),
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

    Every block is the mean of the picture's and of the flipped picture's.
    """
    picture = keras.Input((size, size, 3), name="picture")
    blocks = {
        name: kind.fisher_vectors(picture, vocabularies[name], name)
        for name, kind in PATCH_STATISTICS.items()
    }
    coarse = shrunk(PATCH_STATISTICS["shapes"].cells(picture), 2)
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
    model = keras.Model(picture, kind.patches(picture))
    of_each = max(1, _PATCHES // len(pictures))
    random = np.random.default_rng(seed)
    kept: list[NDArray[np.float32]] = []
    for start in range(0, len(pictures), _AT_ONCE):
        batch = pictures[start : start + _AT_ONCE].astype(np.float32) / np.float32(255)
        found = kind.with_places(model(batch, training=False).numpy())
        kept += [of_one[random.permutation(len(of_one))[:of_each]] for of_one in found]
    return np.concatenate(kept)
