"""Three panels: time by number of vectors, waits while images arrive, growth with the cluster."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.searching.comparing import EVERYTHING
from benchmarks.searching.found import Found
from benchmarks.searching.growth import LARGE, exponent
from benchmarks.searching.sides import ARRAYS, FLAT, LISTS, OURS

_SHOWN = (
    (OURS, 1, "store, one cluster", "o-", "tab:blue"),
    (LISTS, 1, "FAISS IVFFlat, nprobe 1", "s-", "tab:orange"),
    (ARRAYS, 1, "NumPy, one cluster", "^-", "tab:green"),
    (OURS, 0, "store, everything", "o--", "tab:blue"),
    (FLAT, 0, "FAISS flat", "s--", "tab:orange"),
    (ARRAYS, 0, "NumPy, everything", "^--", "tab:green"),
)


def draw(figure: Figure, found: Found) -> None:
    """All on logarithmic axes of milliseconds."""
    figure.set_size_inches(14, 5)
    latency, arriving, growth = figure.subplots(1, 3)
    _latency(latency, found)
    _arriving(arriving, found)
    _growth(growth, found)
    for axes in (latency, arriving, growth):
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8, handlelength=3)


def _latency(axes: Axes, found: Found) -> None:
    for side, probes, label, style, colour in _SHOWN:
        rows = [row for row in found.rows if (row.side, row.probes) == (side, probes)]
        rows = [row for row in rows if row.k in ("auto", EVERYTHING)]
        sizes = [row.size for row in rows]
        axes.loglog(sizes, [1e3 * row.one.p50 for row in rows], style, label=label, color=colour)
    axes.set(title="k by the elbow, one processor", xlabel="vectors", ylabel="p50, ms")


def _arriving(axes: Axes, found: Found) -> None:
    begin = 0.0
    for one in [one for one in found.heard if one.asker == "through the socket"]:
        moments, waits = one.waits.T
        label = f"{one.phase.name}, {one.images / one.phase.seconds:.0f} images/s"
        axes.semilogy(begin + moments, 1e3 * waits, ".", ms=3, label=label)
        begin += one.phase.seconds
    axes.axhline(300, color="grey", lw=1, ls=":")
    axes.set(
        title=f"Through the socket, {found.goal_size:,} vectors and more",
        xlabel="seconds",
        ylabel="a query's time, ms",
    )


def _growth(axes: Axes, found: Found) -> None:
    points = found.growth
    axes.loglog(
        [point.vectors for point in points],
        [1e3 * point.p50 for point in points],
        "o",
        ms=4,
        alpha=0.6,
        label="clusters of a growing collection",
    )
    slope = exponent(points)
    largest = max(points, key=lambda point: point.vectors)
    line = np.array([min(LARGE, largest.vectors / 2), largest.vectors])
    times = 1e3 * largest.p50 * (line / largest.vectors) ** slope
    axes.loglog(line, times, color="tab:red", lw=1.5, label=f"exponent {slope:.2f}")
    axes.set(title="One cluster, one processor", xlabel="vectors in the cluster", ylabel="p50, ms")
