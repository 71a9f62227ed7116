"""A quantity by the number of images, and the exponent that it grows with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Panel = Literal["time", "memory", "disk"]

_UNITS = {
    ("time", True): ("µs", 1e6),
    ("time", False): ("ms", 1e3),
    ("memory", True): ("KB", 1e-3),
    ("memory", False): ("MB", 1e-6),
    ("disk", True): ("KB", 1e-3),
    ("disk", False): ("MB", 1e-6),
}


@dataclass(frozen=True, slots=True)
class Curve:
    """`totals`: seconds or bytes of all images together, by their number.

    `each`: people ask what an image costs; otherwise what the whole does.
    """

    name: str
    panel: Panel
    totals: Mapping[int, float]
    each: bool = True

    @property
    def upper(self) -> list[int]:
        """The sizes that are fitted: those above the middle of the curve, which is the geometric
        mean of its ends, but at least two. Below it a program's start is most of the cost."""
        sizes = sorted(self.totals)
        middle = math.sqrt(sizes[0] * sizes[-1])
        return [size for size in sizes if size >= middle or size >= sizes[-2]]

    @property
    def exponent(self) -> float:
        """Of the total: 1 is linear, 0 constant. Least squares in the logarithms."""
        sizes = self.upper
        slope, _ = np.polyfit(np.log(sizes), np.log([self.totals[size] for size in sizes]), 1)
        return float(slope)

    @property
    def unit(self) -> str:
        """What `cell` is in."""
        name, _ = _UNITS[self.panel, self.each]
        return f"{name}/image" if self.each else name

    def cell(self, images: int) -> str:
        """The figure at a size in `unit`, three digits that say something."""
        if images not in self.totals:
            return ""
        value = self.totals[images] * _UNITS[self.panel, self.each][1]
        if self.each:
            value /= images
        return f"{float(f'{value:.3g}'):,.10g}"
