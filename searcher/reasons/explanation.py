"""What is told of one result: its cluster and the border, percentile, hash distance. As a line for
people and as JSON values, which give the same line when they are read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from searcher.hashes import HASH_BITS
from searcher.render import percentile_text

if TYPE_CHECKING:
    from searcher.reasons.heat_map import Heat

_DISTANCE_DIGITS = 4
_DROP_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Margin:
    """How deep a vector lies inside a cluster. All three are Euclidean, in the vectors' space.

    `distance`: to the centroid of `cluster`. `next` and `next_distance`: the same for the nearest
    other cluster, and `border`: to the plane half-way between both centroids, below 0 beyond it.
    These three are None where there is only one cluster.
    """

    cluster: str
    distance: float
    next: str | None = None
    next_distance: float | None = None
    border: float | None = None

    def rounded(self) -> Margin:
        """To four digits, as it is shown."""
        return Margin(
            self.cluster,
            round(self.distance, _DISTANCE_DIGITS),
            self.next,
            _rounded(self.next_distance),
            _rounded(self.border),
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `--explain` tells of one result; None is what is not known.

    `percentile`: the result's, in [0, 100]. `hash_bits`: how many of the 64 bits of the query's and
    the result's perceptual hashes differ.
    """

    margin: Margin
    percentile: float | None = None
    hash_bits: int | None = None
    heat: Heat | None = None


def explanation(of: Explanation) -> str:
    """``cluster g1/3, 0.12 from the border to g1/5 · percentile 99.8 · 14 of 64 hash bits differ``.

    What is not known is left out.
    """
    where = f"cluster {of.margin.cluster}"
    if of.margin.border is not None:
        side = "from" if of.margin.border >= 0 else "beyond"
        where += f", {abs(of.margin.border):.2f} {side} the border to {of.margin.next}"
    parts = [where]
    if of.percentile is not None:
        parts.append(f"percentile {percentile_text(of.percentile)}")
    if of.hash_bits is not None:
        verb = "differs" if of.hash_bits == 1 else "differ"
        parts.append(f"{of.hash_bits} of {HASH_BITS} hash bits {verb}")
    return " · ".join(parts)


def explanation_json(of: Explanation) -> dict[str, Any]:
    """The explanation as JSON values; `heat` holds the drops of cosine, row by row from the top."""
    at, heat = of.margin, of.heat
    return {
        "cluster": at.cluster,
        "distance": at.distance,
        "next_cluster": at.next,
        "next_distance": at.next_distance,
        "border": at.border,
        "percentile": of.percentile,
        "hash_bits": of.hash_bits,
        "heat": None if heat is None else heat.drops.astype(float).round(_DROP_DIGITS).tolist(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DISTANCE_DIGITS)
