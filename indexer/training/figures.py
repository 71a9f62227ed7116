"""Pictures of a training. The only file of the indexer that draws with matplotlib.

Figures are drawn on canvases of their own, never through pyplot, so no global state is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from shared.types import Pixels

if TYPE_CHECKING:
    from indexer.training.kmeans import KMeansResult

_DPI = 120
_LINE, _OTHER, _MARK = "#1f77b4", "#d95f02", "#444444"
_FLOOR = "#b8b8b8"
_NAMED_LABELS = 20  # as many as there are colours
_WHY = {
    "elbow": "k is the elbow of the inertia (Kneedle)",
    "given": "k was given, no other was tried",
    "fallback": "the inertia has no elbow, so k is the default",
}


def draw_losses(
    loss: Sequence[float],
    val_loss: Sequence[float],
    path: Path,
    what: str = "mean squared error",
    *,
    decides: bool = True,
) -> None:
    """Training and validation loss by epoch, the lowest validation loss marked; `what` it is.

    `decides`: whether the epoch of the lowest one is the epoch that was kept.
    """
    figure, axes = _plot("Loss by epoch", "epoch", what)
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
        label=f"lowest: {val_loss[best]:.4f}, epoch {best + 1}{' (kept)' if decides else ''}",
    )
    axes.legend(frameon=False)
    _save(figure, path)


def draw_precision(found: Sequence[float], start: float, path: Path) -> None:
    """P@10 of the held-out pictures by epoch, the best marked, and before the first epoch."""
    figure, axes = _plot("Held-out pictures", "epoch", "P@10")
    best = int(np.argmax(found))
    kept = " (kept)" if found[best] > start else ""
    text = f"before: {start:.3f}" + ("" if kept else " (kept)")
    axes.axhline(start, color=_MARK, linewidth=1, linestyle=":", label=text)
    axes.plot(range(1, len(found) + 1), found, "o-", color=_LINE, markersize=4)
    axes.plot(
        best + 1,
        found[best],
        "o",
        color=_OTHER,
        markersize=9,
        label=f"best: {found[best]:.3f}, epoch {best + 1}{kept}",
    )
    axes.legend(frameon=False)
    _save(figure, path)


def draw_projection(
    vectors: NDArray[np.float32], labels: Sequence[str], path: Path, seed: int
) -> None:
    """Unit rows (n, 512), n >= 2, in two dimensions by t-SNE (van der Maaten and Hinton, 2008),
    coloured by label: the more its colours lie apart, the better the labels are told apart."""
    flat = TSNE(
        perplexity=min(30.0, max(1.0, (len(vectors) - 1) / 3)), init="random", random_state=seed
    ).fit_transform(vectors)
    figure = Figure(figsize=(8.5, 6), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title("Held-out pictures, 512 dimensions in two (t-SNE)")
    colours = colormaps["tab20"]
    for number, label in enumerate(sorted(set(labels))):
        chosen = np.array([one == label for one in labels])
        across, down = flat[chosen].T
        shown = label if number < _NAMED_LABELS else None
        place = number % 20  # the map has ten strong colours, each with a pale one after it
        colour = colours(place * 2 % 20 + place // 10)
        axes.scatter(across, down, s=12, color=colour, label=shown)
    axes.set(xticks=[], yticks=[])
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    _save(figure, path)


def draw_elbow(found: KMeansResult, path: Path) -> None:
    """How k was chosen: inertia by k with the elbow explained, silhouette by k beside it, the
    chosen k marked in both."""
    figure = Figure(figsize=(11, 4.6), dpi=_DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    noun = "cluster" if found.k == 1 else "clusters"
    figure.suptitle(f"{sum(found.sizes):,} pictures in {found.k} {noun}: {_WHY[found.chosen_by]}")
    _style(
        left,
        f"Inertia of {found.curve_images:,} pictures: lower is tighter",
        "clusters, k",
        "sum of squared distances to the centroids",
    )
    _style(
        right,
        "Silhouette: 1 if clusters are far apart, 0 if they touch",
        "clusters, k",
        "mean silhouette",
    )
    if found.chosen_by == "elbow":
        _mark_gap(left, found.ks, found.inertias, found.k)
    _mark_k(left, found.ks, found.inertias, found.k, "inertia {:,.1f}")
    _mark_k(right, found.ks, found.silhouettes, found.k, "silhouette {:.3f}")
    _save(figure, path)


def _mark_k(
    axes: Axes, ks: Sequence[int], values: Sequence[float | None], k: int, label: str
) -> None:
    """A curve by k with one k marked; where a value is None the curve has a gap."""
    heights = [np.nan if value is None else value for value in values]
    axes.plot(ks, heights, "o-", color=_LINE, markersize=4)
    axes.axvline(k, color=_MARK, linewidth=1, linestyle=":")
    value = values[list(ks).index(k)]
    text = "silhouette needs two clusters" if value is None else label.format(value)
    height = np.nan if value is None else value
    axes.plot(k, height, "o", color=_OTHER, markersize=9, label=f"k = {k}: {text}")
    axes.set_xlim(min(ks) - 0.5, max(ks) + 0.5)
    axes.set_xticks(ks)
    if len(ks) == 1:  # one point has no scale
        axes.set_yticks([])
    axes.legend(frameon=False, loc="upper right")


def _mark_gap(axes: Axes, ks: Sequence[int], inertias: Sequence[float], k: int) -> None:
    """What Kneedle measures: how far the curve lies below the line between its ends."""
    ends = [inertias[0], inertias[-1]]
    axes.plot([ks[0], ks[-1]], ends, "--", color=_FLOOR, label="the elbow lies far below this line")
    low, high = inertias[list(ks).index(k)], float(np.interp(k, [ks[0], ks[-1]], ends))
    inside = k < (ks[0] + ks[-1]) / 2  # else the text would leave the plot at the right
    axes.annotate(
        "", (k, low), (k, high), arrowprops={"arrowstyle": "<->", "color": _OTHER, "linewidth": 1.5}
    )
    axes.annotate(
        "elbow: more clusters\ngain little from here on",
        (k, low + 0.4 * (high - low)),
        xytext=(8 if inside else -8, 0),
        textcoords="offset points",
        horizontalalignment="left" if inside else "right",
        color=_OTHER,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
    )


def draw_reconstructions(
    originals: NDArray[np.float32], drawn: NDArray[np.float32], path: Path
) -> None:
    """Originals, (n, size, size, 3) in [0, 1], above what the autoencoder draws of them."""
    count = len(originals)
    figure = Figure(figsize=(1.15 * count + 0.2, 3.0), dpi=_DPI, layout="constrained")
    figure.suptitle("Validation pictures (above) and their reconstructions (below)")
    for row, pictures in enumerate((originals, np.clip(drawn, 0, 1))):
        for column, picture in enumerate(pictures):
            _show(figure.add_subplot(2, count, row * count + column + 1), picture)
    _save(figure, path)


def draw_cluster(
    number: int,
    sizes: Sequence[int],
    samples: Sequence[Pixels],
    path: Path,
    *,
    columns: int = 6,
) -> None:
    """One sheet: the pictures of a cluster that lie nearest to its centroid, nearest first.

    `sizes`: those of all clusters. `samples`: uint8 (size, size, 3), all of one size; may be empty.
    """
    rows = max(1, -(-len(samples) // columns))
    figure = Figure(figsize=(1.25 * columns, 1.25 * rows + 0.5), dpi=_DPI, layout="constrained")
    size, total = sizes[number], sum(sizes)
    shown = f", the {len(samples)} nearest to its centroid" if len(samples) < size else ""
    figure.suptitle(
        f"Cluster {number}: {size:,} of {total:,} pictures ({100 * size / total:.0f} %){shown}",
        fontsize=10,
    )
    axes = figure.add_subplot()
    axes.set_axis_off()
    if samples:
        axes.imshow(_tiled(samples, columns))
    _save(figure, path)


def _tiled(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """The pictures row by row on white, with gaps: far quicker to draw than one plot for each."""
    edge = len(pictures[0])
    step = edge + max(1, edge // 16)
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * step, columns * step, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * step, place % columns * step
        sheet[top : top + edge, left : left + edge] = picture
    return sheet


@dataclass(frozen=True, slots=True)
class Bar:
    """One encoder or floor of a comparison: its figure in [0, 1] with the ends of the 95 %
    interval, and images per second, None for a floor."""

    name: str
    mean: float
    low: float
    high: float
    rate: float | None


def draw_bakeoff(bars: Sequence[Bar], measure: str, title: str, path: Path) -> None:
    """Quality of encoders and floors with its interval, best above, and the encoders' speed."""
    bars = sorted(bars, key=lambda bar: bar.mean)
    figure = Figure(figsize=(9, 0.42 * len(bars) + 1.5), dpi=_DPI, layout="constrained")
    figure.suptitle(title, fontsize=10)
    quality, speed = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    colors = [_FLOOR if bar.rate is None else _LINE for bar in bars]
    places = range(len(bars))
    quality.barh(places, [bar.mean for bar in bars], color=colors)
    quality.set_yticks(places, [bar.name for bar in bars])
    ends = [[bar.mean - bar.low for bar in bars], [bar.high - bar.mean for bar in bars]]
    quality.errorbar(
        [bar.mean for bar in bars], places, xerr=ends, fmt="none", ecolor=_MARK, capsize=3
    )
    for place, bar in zip(places, bars, strict=True):
        quality.text(bar.high + 0.015, place, f"{bar.mean:.3f}", va="center", fontsize=9)
        if bar.rate is not None:
            speed.text(bar.rate, place, f" {bar.rate:,.0f}", va="center", fontsize=9)
    quality.set(xlim=(0, 1.1), xlabel=f"{measure} with its 95 % interval")
    speed.barh(places, [bar.rate or 0 for bar in bars], color=colors)
    speed.set(xlabel="images/s, one core")
    speed.margins(x=0.45)
    speed.tick_params(left=False)
    for axes in (quality, speed):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, axis="x")
        axes.set_axisbelow(True)
    _save(figure, path)


def _plot(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    _style(axes, title, x, y)
    return figure, axes


def _style(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.03)


def _show(axes: Axes, picture: NDArray[Any]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path)
