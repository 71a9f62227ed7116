"""`ImageBatches`: paths to batches of pictures, as Keras wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.training.runtime import keras
from indexer.training.source import ImagePath, PixelSource
from shared.errors import TrainingError
from shared.types import Pixels

Batch = NDArray[np.float32]
"""float32 (n, size, size, 3) in [0, 1]."""

# First word of each random stream's key. Keys that differ only by trailing zeros are one to NumPy.
_ORDER, _FLIPS, _SPLIT = 1, 2, 3


class ImageBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of `batch_size` pictures as (input, target), which are one and the same array, of
    the source's size or `scaled` down to `edge`.

    Each picture is flipped left-right with probability `flip`. Order and flips follow from `seed`,
    the epoch and the batch's number alone, never from the timing of threads. A picture that cannot
    be read any more is replaced by another of its batch and counted in `replaced`; if none of a
    batch can, the error stays in `failure`, for TensorFlow passes on little of it.

    Decoding runs in the threads of `source` while TensorFlow, which fetches ahead, still works on
    the batch before. Keras' own `workers` are not used: they begin an epoch before
    `on_epoch_begin`, so that a batch could not know which epoch it is for.
    """

    def __init__(
        self,
        paths: Sequence[ImagePath],
        batch_size: int,
        source: PixelSource,
        *,
        edge: int | None = None,
        flip: float = 0.5,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or not paths:
            raise ValueError(f"batch_size {batch_size} and {len(paths)} paths: both at least 1")
        self.paths, self.batch_size, self.source = tuple(paths), batch_size, source
        self.edge, self.flip, self.shuffle, self.seed = edge, flip, shuffle, seed
        self.epoch = 0
        self.replaced = 0
        self.failure: TrainingError | None = None

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Batch, Batch]:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        batch = scaled(self.pixels(index), self.edge)
        random = np.random.default_rng((_FLIPS, self.seed, self.epoch, index))
        flipped = random.random(len(batch)) < self.flip
        batch[flipped] = batch[flipped, :, ::-1]
        return batch, batch

    def pixels(self, index: int) -> Pixels:
        """uint8 (n, size, size, 3): the batch before it is flipped.

        Raises `TrainingError` when none of its pictures can be read any more.
        """
        rows = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        found = self.source.many([self.paths[row] for row in rows])
        readable = [picture for picture in found if picture is not None]
        if not readable:
            self.failure = TrainingError(
                f"none of {len(found)} pictures can be read any more, the first is "
                f"{self.paths[rows[0]]!r}: is the folder still there?"
            )
            raise self.failure
        self.replaced += len(found) - len(readable)
        return np.stack(
            [
                readable[place % len(readable)] if picture is None else picture
                for place, picture in enumerate(found)
            ]
        )

    def on_epoch_end(self) -> None:
        """The next epoch has another order and other flips."""
        self.epoch += 1

    def _order(self) -> NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(len(self.paths))
        random = np.random.default_rng((_ORDER, self.seed, self.epoch))
        return random.permutation(len(self.paths))


def scaled(pixels: Pixels, edge: int | None = None) -> Batch:
    """uint8 (n, size, size, 3) as float32 in [0, 1], at another edge by means over squares.

    Raises ValueError unless size is a multiple of `edge`.
    """
    size = pixels.shape[1]
    edge = size if edge is None else edge
    if size % edge:
        raise ValueError(f"pictures of {size} pixels cannot be scaled to {edge} by whole squares")
    step = size // edge
    # One corner of all squares after the other: `mean` over the squares' axes adds up in this very
    # order, and takes five times as long.
    corners = [pixels[:, row::step, column::step] for row in range(step) for column in range(step)]
    batch: Batch = np.divide(corners[0], np.float32(255), dtype=np.float32)
    for corner in corners[1:]:
        batch += corner / np.float32(255)
    batch /= np.float32(step * step)
    return batch


def split(
    paths: Sequence[ImagePath], share: float, seed: int
) -> tuple[list[ImagePath], list[ImagePath]]:
    """Training and validation paths, disjoint; `share` in (0, 1) of them, at least one, validate.

    Raises ValueError if nothing would be left on either side.
    """
    count = max(1, round(len(paths) * share))
    if not 0 < share < 1 or count >= len(paths):
        raise ValueError(f"a validation share of {share} of {len(paths)} pictures")
    order = np.random.default_rng((_SPLIT, seed)).permutation(len(paths))
    return [paths[row] for row in order[count:]], [paths[row] for row in order[:count]]
