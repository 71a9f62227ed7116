"""Pictures of a training. The only file of the indexer that draws with matplotlib.

Figures are drawn on canvases of their own, never through pyplot, so no global state is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from shared.types import Pixels

_DPI = 120
_LINE, _OTHER, _MARK = "#1f77b4", "#d95f02", "#444444"


def draw_losses(loss: Sequence[float], val_loss: Sequence[float], path: Path) -> None:
    """Training and validation loss by epoch, the lowest validation loss marked."""
    figure, axes = _plot("Loss by epoch", "epoch", "mean squared error")
    epochs = range(1, len(loss) + 1)
    dot = "o" if len(loss) < 3 else None
    axes.plot(epochs, loss, color=_LINE, marker=dot, label="training")
    axes.plot(epochs, val_loss, color=_OTHER, marker=dot, label="validation")
    best = int(np.argmin(val_loss))
    axes.axvline(best + 1, color=_MARK, linewidth=1, linestyle=":")
    axes.plot(
        best + 1,
        val_loss[best],
        "o",
        color=_MARK,
        label=f"lowest: {val_loss[best]:.4f}, epoch {best + 1} (kept)",
    )
    axes.legend(frameon=False)
    _save(figure, path)


def draw_elbow(ks: Sequence[int], inertias: Sequence[float], k: int, how: str, path: Path) -> None:
    """Inertia by number of clusters, the chosen k marked; `how` says what chose it."""
    figure, axes = _plot("Choosing the number of clusters", "clusters, k", "inertia")
    axes.plot(ks, inertias, "o-", color=_LINE, markersize=4)
    axes.axvline(k, color=_MARK, linewidth=1, linestyle=":")
    at = inertias[list(ks).index(k)]
    axes.plot(k, at, "o", color=_OTHER, markersize=9, label=f"k = {k} ({how})")
    axes.legend(frameon=False)
    _save(figure, path)


def draw_reconstructions(originals: Pixels, drawn: NDArray[np.float32], path: Path) -> None:
    """Originals, uint8 (n, size, size, 3), above what the autoencoder draws of them, [0, 1]."""
    count = len(originals)
    figure = Figure(figsize=(1.15 * count + 0.2, 3.0), dpi=_DPI, layout="constrained")
    figure.suptitle("Validation pictures (above) and their reconstructions (below)")
    shown: list[NDArray[Any]] = [originals, np.clip(drawn, 0, 1)]
    for row, pictures in enumerate(shown):
        for column, picture in enumerate(pictures):
            _show(figure.add_subplot(2, count, row * count + column + 1), picture)
    _save(figure, path)


def draw_cluster(
    number: int, size: int, samples: Sequence[Pixels], path: Path, *, columns: int = 6
) -> None:
    """One sheet: the pictures of a cluster that lie nearest to its centroid, nearest first."""
    rows = max(1, -(-len(samples) // columns))
    figure = Figure(figsize=(1.25 * columns, 1.25 * rows + 0.5), dpi=_DPI, layout="constrained")
    noun = "picture" if size == 1 else "pictures"
    figure.suptitle(f"Cluster {number}: {size} {noun}")
    for place in range(rows * columns):
        axes = figure.add_subplot(rows, columns, place + 1)
        if place < len(samples):
            _show(axes, samples[place])
        else:
            axes.set_axis_off()
    _save(figure, path)


def _plot(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.03)
    return figure, axes


def _show(axes: Axes, picture: NDArray[Any]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path)
