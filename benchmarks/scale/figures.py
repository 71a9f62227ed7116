"""The picture of `docs/scale.md`: what a question costs and what memory is needed, by images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.scale.footprint import LAYOUTS, machines
from benchmarks.scale.inputs import values
from benchmarks.scale.searching import BEARABLE_MS, PLANS, scan_limit, scan_ms

FILE = "scale-curves.png"
_COUNTS = np.logspace(5, 9, 80)


def draw(folder: Path) -> None:
    """Write the picture into a folder."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _search(left)
    _memory(right)
    figure.savefig(folder / FILE, dpi=130, metadata={"Software": None})


def _search(axes: Axes) -> None:
    axes.loglog(_COUNTS, [scan_ms(n) for n in _COUNTS], label="embedded: scan of the clusters")
    points = [plan.points for plan in PLANS]
    spent = [plan.cluster().core_ms for plan in PLANS]
    axes.loglog(points, spent, "o-", label="server: graphs of all segments")
    axes.axhline(BEARABLE_MS, color="grey", lw=1, ls="--")
    axes.annotate(
        f"{BEARABLE_MS:.0f} ms: {scan_limit() / 1e6:.1f} million",
        (scan_limit(), BEARABLE_MS),
        xytext=(1.3e5, BEARABLE_MS * 1.4),
        color="dimgrey",
    )
    axes.set(
        title="Searching for one question",
        xlabel="images",
        ylabel="milliseconds of cores",
        xlim=(1e5, 1.3e9),
    )
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)


def _memory(axes: Axes) -> None:
    for layout in LAYOUTS:
        axes.loglog(
            _COUNTS, [machines(int(n), layout, 3).memory / 1e9 for n in _COUNTS], label=layout.name
        )
    for nodes in (3, 12, 48):
        memory = nodes * values()["node_memory"]
        axes.axhline(memory, color="grey", lw=1, ls="--")
        axes.text(
            1.2e5,
            memory * 1.08,
            f"{nodes} nodes of {values()['node_memory']:.0f} GB",
            color="dimgrey",
        )
    axes.set(
        title="Memory of three replicas, by layout",
        xlabel="images",
        ylabel="GB",
        xlim=(1e5, 1.3e9),
    )
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)
