"""Batches of P classes with K pictures each, in which every picture meets both its like and others
(Hermans et al., *In Defense of the Triplet Loss*, 2017, call them PK batches)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

_BATCH = 21  # first word of the random stream's key; `dataset.py` has 1 to 3


class BalancedRows:
    """Rows of batches: `classes` different ones, or all where there are fewer, with `pictures` of
    each. So small classes count as much as large ones.

    `codes`: int64 (n,), the class of each picture, two different ones at least. A class with fewer
    pictures than a batch wants repeats them. An epoch has `least` batches or more. Which rows
    follows from `seed`, the epoch and the batch's number alone.
    """

    def __init__(
        self,
        codes: NDArray[np.int64],
        classes: int,
        pictures: int,
        seed: int,
        *,
        least: int = 1,
    ) -> None:
        self._members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        self.classes = min(classes, len(self._members))
        if self.classes < 2 or pictures < 2:
            raise ValueError(
                f"batches of {classes} of {len(self._members)} classes with {pictures} pictures "
                "each: nothing to compare, there must be two of each"
            )
        self.pictures = pictures
        self._count, self._seed, self._least = len(codes), seed, least

    def __len__(self) -> int:
        """Batches of an epoch: enough to hold every picture once, and `least` of them."""
        return max(self._least, -(-self._count // (self.classes * self.pictures)))

    def rows(self, epoch: int, index: int) -> Rows:
        """int64 (`classes` * `pictures`,): rows of `codes`, class by class."""
        random = np.random.default_rng((_BATCH, self._seed, epoch, index))
        chosen = random.permutation(len(self._members))[: self.classes]
        return np.concatenate([self._some(self._members[one], random) for one in chosen])

    def _some(self, members: Rows, random: np.random.Generator) -> Rows:
        return np.resize(random.permutation(members), self.pictures)
