"""Three panels in log-log: what one image costs in time, memory and disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.growing.curves import Curve, Panel

_LABELS = {
    "time": ("Time", "µs per image", 1e6),
    "memory": ("Memory", "KB per image", 1e-3),
    "disk": ("Disk", "KB per image", 1e-3),
}


def draw(figure: Figure, curves: Sequence[Curve]) -> None:
    """Flat is linear growth, falling is less; the part that was fitted is drawn thick."""
    figure.set_size_inches(13, 5.6)
    for axes, panel in zip(figure.subplots(1, 3), get_args(Panel), strict=True):
        _panel(axes, panel, [curve for curve in curves if curve.panel == panel])


def _panel(axes: Axes, panel: Panel, curves: Sequence[Curve]) -> None:
    title, label, factor = _LABELS[panel]
    for curve in curves:
        sizes = sorted(curve.totals)
        each = {size: curve.totals[size] / size * factor for size in sizes}
        (line,) = axes.loglog(
            sizes,
            list(each.values()),
            "o-",
            lw=1,
            ms=3,
            label=f"{curve.name}: {curve.exponent:.2f}",
        )
        upper = curve.upper
        axes.loglog(upper, [each[size] for size in upper], lw=2.6, color=line.get_color())
    axes.set(title=title, xlabel="images", ylabel=label)
    axes.grid(alpha=0.25)
    axes.legend(
        frameon=False,
        fontsize=8,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        title="exponent of the total",
        title_fontsize=8,
    )
