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
    def of(
        cls, first: Greys, second: Greys, inside: NDArray[np.bool_] | None = None
    ) -> BlockMoments:
        """Of float32 (n, edge, edge) each, where bool `inside` of the same shape says so."""
        a, b = _in_blocks(first), _in_blocks(second)
        share = np.ones(a.shape[:2], np.float32)
        count = share * a.shape[2]
        if inside is not None:
            mask = _in_blocks(inside.astype(np.float32))
            share = mask.mean(axis=2)
            count = np.maximum(share * a.shape[2], np.float32(1e-6))
            a, b = a * mask, b * mask
        mean_a, mean_b = a.sum(axis=2) / count, b.sum(axis=2) / count
        a, b = a - mean_a[..., None], b - mean_b[..., None]
        if inside is not None:
            a, b = a * mask, b * mask
        var_a, var_b, cov = (
            np.einsum("nbp,nbp->nb", x, y) / count for x, y in ((a, a), (b, b), (a, b))
        )
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
        middle_a = self.mean_a.mean(axis=1, keepdims=True)
        middle_b = self.mean_b.mean(axis=1, keepdims=True)
        a, b = self.mean_a - middle_a, self.mean_b - middle_b
        terms = np.stack([np.ones_like(a), a, b, self.var_a + a * a, self.cov + a * b], axis=2)
        weights = self.weight
        for left in reversed(range(_ROUNDS + 1)):
            light = _fitted(weights, terms)
            light = Light(light.gain, light.bias + middle_b - light.gain * middle_a)
            if left:
                wrong = self._wrong(light)
                usual = median(wrong) + np.float32(_NOISE)
                weights = self.weight / (1 + wrong / (2 * usual)) ** 2
        return light

    def _wrong(self, light: Light) -> NDArray[np.float32]:
        """Squared levels (n, 64) by which blocks differ under a light."""
        off = self._off(light)
        return self._rest(light) + off * off

    def unlike(
        self, light: Light
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Variance that the light leaves unexplained, difference of the means, and variance."""
        spread = np.maximum(light.gain**2 * self.var_a, self.var_b)
        return self._rest(light), self._off(light), spread

    def _rest(self, light: Light) -> NDArray[np.float32]:
        gain = light.gain
        return np.maximum(self.var_b + gain * (gain * self.var_a - 2 * self.cov), 0)

    def _off(self, light: Light) -> NDArray[np.float32]:
        # A brightened picture is white where it cannot be brighter.
        shown = np.minimum(np.maximum(light.gain * self.mean_a + light.bias, 0), 255)
        off: NDArray[np.float32] = self.mean_b - shown
        return off


def _fitted(weights: NDArray[np.float32], terms: NDArray[np.float32]) -> Light:
    """The light that fits blocks best which weigh (n, 64) so much, by the sums over them of
    `terms` (n, 64, 5): 1, a, b, a squared, a times b; every sum is one product."""
    sums = np.matmul(weights[:, None], terms)[:, 0]
    total = np.maximum(sums[:, :1], 1e-6)
    at_a, at_b = sums[:, 1:2] / total, sums[:, 2:3] / total
    square, cross = sums[:, 3:4] - at_a * sums[:, 1:2], sums[:, 4:] - at_a * sums[:, 2:3]
    # The ridge keeps plain pictures at their own contrast.
    gain = (cross + _NOISE * total) / (np.maximum(square, 0) + _NOISE * total)
    gain = np.minimum(np.maximum(gain, _GAINS[0]), _GAINS[1])
    return Light(gain, at_b - gain * at_a)


def _in_blocks(pictures: Greys) -> Greys:
    edge = pictures.shape[1] // BLOCKS
    parts = pictures.reshape(-1, BLOCKS, edge, BLOCKS, edge).transpose(0, 1, 3, 2, 4)
    return parts.reshape(-1, BLOCKS**2, edge**2)
