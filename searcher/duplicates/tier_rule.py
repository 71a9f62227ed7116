"""The numbers that tell one tier from the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.calibration import Calibration


@dataclass(frozen=True, slots=True)
class TierRule:
    """Thresholds of the tiers; where each was measured: docs/near-duplicates.md.

    *Near* by pixels: `agreement`, the least share of blocks that agree, of those candidates whose
    hash differs in at most `candidate_bits` of 64 and whose cosine is at least `candidate_score`;
    beyond `close_bits`, where most pictures with nothing in common lie, at least `far_score`. A
    hash within `backed_bits` and a cosine of at least `backed_score` speak for a picture, so that
    `backed_agreement` is enough: a watermark touches many blocks and changes little else. At most
    `most_checked` candidates of a query are read from the disk.

    *Near* unseen, for files that cannot be read: a hash within `unseen_bits` and a cosine of at
    least `unseen_score`. Much altered pictures are missed so.

    *Similar*: a cosine of at least `similar_score`. `grouped_score` is the same for whole groups,
    where a picture has all others to be like.
    """

    agreement: float = 0.93
    backed_agreement: float = 0.6
    backed_bits: int = 6
    backed_score: float = 0.8
    candidate_bits: int = 32
    candidate_score: float = 0.4
    close_bits: int = 16
    far_score: float = 0.5
    most_checked: int = 48
    unseen_bits: int = 4
    unseen_score: float = 0.9
    similar_score: float = 0.6
    grouped_score: float = 0.85

    @classmethod
    def calibrated(cls, calibration: Calibration | None) -> TierRule:
        """The rule for one collection: similar is what 99 of 100 pairs of its pictures are not.

        In groups, it is what only every tenth picture finds in its nearest other one. Without a
        calibration, the defaults stand.
        """
        if calibration is None or not calibration.is_scored:
            return cls()
        similar = max(calibration.score_at(SIMILAR_PERCENTILE), calibration.least_alike)
        grouped = max(calibration.nearest_at(GROUPED_SHARE), similar)
        return replace(cls(), similar_score=similar, grouped_score=grouped)

    def is_candidate(
        self, bits: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Which pairs are worth looking at, by the bits of their hashes and their cosines: (n,)."""
        close = (bits <= self.close_bits) & (scores >= self.candidate_score)
        return close | ((bits <= self.candidate_bits) & (scores >= self.far_score))


SIMILAR_PERCENTILE = 99.0
GROUPED_SHARE = 0.9
