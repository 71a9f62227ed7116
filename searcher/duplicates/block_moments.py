"""Two pictures in 8 x 8 blocks each: means, variances, covariance, and the light between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searcher.duplicates.alignment import Greys, median

BLOCKS = 8
"""Blocks along each edge."""

_GAINS = (0.6, 1.6)
"""Contrasts that brightening may have; beyond, pictures are other pictures."""
_ROUNDS = 5
_NOISE = 9.0
"""Squared levels that no block is held to account for."""


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Contrast and brightness of n pairs, float32 (n, 1) each: ``second = gain * first + bias``."""

    gain: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class BlockMoments:
    """Moments of every block of n pairs, float32 (n, 64), in grey levels and their squares.

    `weight`: the share of a block where both pictures have pixels, 0 where it is less than half.
    """

    mean_a: NDArray[np.float32]
    mean_b: NDArray[np.float32]
    var_a: NDArray[np.float32]
    var_b: NDArray[np.float32]
    cov: NDArray[np.float32]
    weight: NDArray[np.float32]

    @classmethod
    def of(cls, first: Greys, second: Greys, inside: NDArray[np.bool_]) -> BlockMoments:
        """Of float32 (n, edge, edge) each, where bool `inside` of the same shape says so."""
        a, b, mask = (_in_blocks(one.astype(np.float32)) for one in (first, second, inside))
        count = np.maximum(mask.sum(axis=2), 1e-6)
        mean_a, mean_b = (a * mask).sum(axis=2) / count, (b * mask).sum(axis=2) / count
        a, b = (a - mean_a[..., None]) * mask, (b - mean_b[..., None]) * mask
        var_a, var_b, cov = ((x * y).sum(axis=2) / count for x, y in ((a, a), (b, b), (a, b)))
        share = mask.mean(axis=2)
        weight = np.where(share > 0.5, share, np.float32(0))
        return cls(mean_a, mean_b, var_a, var_b, cov, weight)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Blocks of which both pictures show at least half: bool (n, 64)."""
        return self.weight > 0

    def light(self) -> Light:
        """The contrast and brightness that most blocks agree on, those that do not left out.

        Weighted least squares, the weights from the last round's error (Geman-McClure).
        """
        light = self._fitted(self.weight)
        for _ in range(_ROUNDS):
            rest, off, _ = self.unlike(light)
            wrong = rest + off * off
            usual = median(wrong) + np.float32(_NOISE)
            weights = self.weight / (1 + wrong / (2 * usual)) ** 2
            light = self._fitted(weights)
        return light

    def _fitted(self, weights: NDArray[np.float32]) -> Light:
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
        at_a = (weights * self.mean_a).sum(axis=1, keepdims=True) / total
        at_b = (weights * self.mean_b).sum(axis=1, keepdims=True) / total
        a, b = self.mean_a - at_a, self.mean_b - at_b
        square = (weights * (self.var_a + a * a)).sum(axis=1, keepdims=True)
        cross = (weights * (self.cov + a * b)).sum(axis=1, keepdims=True)
        # The ridge keeps plain pictures at their own contrast.
        gain = (cross + _NOISE * total) / (square + _NOISE * total)
        gain = np.minimum(np.maximum(gain, _GAINS[0]), _GAINS[1])
        return Light(gain, at_b - gain * at_a)

    def unlike(
        self, light: Light
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Variance that the light leaves unexplained, difference of the means, and variance."""
        gain = light.gain
        rest = np.maximum(self.var_b + gain**2 * self.var_a - 2 * gain * self.cov, 0)
        # A brightened picture is white where it cannot be brighter.
        off = self.mean_b - np.minimum(np.maximum(gain * self.mean_a + light.bias, 0), 255)
        return rest, off, np.maximum(gain**2 * self.var_a, self.var_b)


def _in_blocks(pictures: Greys) -> Greys:
    edge = pictures.shape[1] // BLOCKS
    parts = pictures.reshape(-1, BLOCKS, edge, BLOCKS, edge).transpose(0, 1, 3, 2, 4)
    return parts.reshape(-1, BLOCKS**2, edge**2)
