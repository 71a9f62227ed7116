"""Figures of an evaluation. The only file of the searcher that draws with matplotlib."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from searcher.quality.results import Evaluation, Probing

_DPI = 120
_FIXED, _AUTO = "#1f77b4", "#d95f02"


def draw_probes(found: Evaluation, path: Path) -> None:
    """Recall against coverage for every way to search, and beside it what each takes.

    A point of *auto* above the line of fixed numbers of clusters finds more for the same effort.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    recall, latency = figure.subplots(1, 2)
    fixed = [one for one in found.probings if one.probes != "auto"]
    auto = next((one for one in found.probings if one.probes == "auto"), None)
    _draw_recall(recall, fixed, auto, found.k)
    _draw_latency(latency, fixed, auto)
    figure.suptitle(f"{found.queries:,} queries of {found.total:,} images")
    figure.savefig(path, dpi=_DPI)


def _draw_recall(axes: Axes, fixed: list[Probing], auto: Probing | None, k: int) -> None:
    coverage = [100 * one.coverage for one in fixed]
    recall = [one.recall for one in fixed]
    axes.plot(coverage, recall, "o-", color=_FIXED, label="a fixed number of clusters")
    for one, x, y in zip(fixed, coverage, recall, strict=True):
        axes.annotate(str(one.probes), (x, y), (6, -12), textcoords="offset points", color=_FIXED)
    if auto is not None:
        axes.plot(100 * auto.coverage, auto.recall, "*", color=_AUTO, markersize=14, label="auto")
    axes.set(xlabel="coverage, % of the collection looked at", ylabel=f"recall@{k}", xlim=(0, 105))
    axes.legend(loc="lower right")
    axes.grid(visible=True, alpha=0.3)


def _draw_latency(axes: Axes, fixed: list[Probing], auto: Probing | None) -> None:
    coverage = [100 * one.coverage for one in fixed]
    axes.plot(coverage, [one.latency.p50 for one in fixed], "o-", color=_FIXED, label="median")
    axes.plot(coverage, [one.latency.p99 for one in fixed], "o:", color=_FIXED, label="p99")
    if auto is not None:
        axes.plot(100 * auto.coverage, auto.latency.p50, "*", color=_AUTO, markersize=14)
    axes.set(xlabel="coverage, % of the collection looked at", ylabel="ms a search")
    axes.set(xlim=(0, 105), ylim=(0, None))
    axes.legend(loc="lower right")
    axes.grid(visible=True, alpha=0.3)
