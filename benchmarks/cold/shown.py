"""What was found of cold queries: as JSON, as tables, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from benchmarks.cold.insides import Steps
from benchmarks.cold.steps import ORDER
from benchmarks.cold.ways import ARTICLE
from benchmarks.measure import Run
from benchmarks.report import Table

SMALL = 1e-3
"""Seconds below which a package's imports are not named."""
SHOWN_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Found:
    """By size, each way's run, and the steps of a query without a daemon. By package, seconds and
    number of its imported modules. `goal`: the size at which the bars are."""

    goal: int
    ways: Mapping[int, Mapping[str, Run]]
    steps: Mapping[int, Steps]
    imports: Mapping[str, tuple[float, int]]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "ways": {
                str(size): {
                    name: {"seconds": run.seconds, "peak_bytes": run.peak_bytes}
                    for name, run in ways.items()
                }
                for size, ways in self.ways.items()
            },
            "steps": {
                str(size): {
                    step: {"seconds": seconds, "peak_bytes": peak}
                    for step, (seconds, peak) in steps.items()
                }
                for size, steps in self.steps.items()
            },
            "imports": {
                package: {"seconds": seconds, "modules": count}
                for package, (seconds, count) in self.imports.items()
            },
        }


def tables(found: Found) -> Sequence[Table]:
    """The ways at every size; the steps; the imports."""
    return _ways(found), _steps(found), _imports(found)


def _ways(found: Found) -> Table:
    rows = [
        (
            f"{size:,}",
            name,
            f"{run.seconds:.2f}",
            f"{run.peak_bytes / 1e6:.0f}",
            *_ratios(run, ways.get(ARTICLE)),
        )
        for size, ways in found.ways.items()
        for name, run in ways.items()
    ]
    ratios = "article's time / this", "article's peak / this"
    header = "images", "", "seconds", "peak MB", *ratios
    return Table("`searcher query IMAGE --json`, the whole process", header, rows)


def _ratios(run: Run, article: Run | None) -> tuple[str, str]:
    if article is None:
        return "", ""
    time, peak = article.seconds / run.seconds, article.peak_bytes / run.peak_bytes
    return f"{time:.1f}", f"{peak:.1f}"


def _steps(found: Found) -> Table:
    rows = [
        (
            step,
            *(f"{1e3 * steps[step][0]:.1f}" for steps in found.steps.values()),
            f"{found.steps[found.goal][step][1] / 1e6:.1f}",
        )
        for step in ORDER
    ]
    sizes = (f"ms at {size:,}" for size in found.steps)
    header = "step", *sizes, f"MB that the peak grew by at {found.goal:,}"
    return Table("Where the time of a query goes, no daemon, closed cleanly", header, rows)


def _imports(found: Found) -> Table:
    named = {package: cost for package, cost in found.imports.items() if cost[0] >= SMALL}
    rest = [cost for package, cost in found.imports.items() if package not in named]
    named["others"] = sum(seconds for seconds, _ in rest), sum(count for _, count in rest)
    rows = [
        (package, f"{count}", f"{1e3 * seconds:.1f}") for package, (seconds, count) in named.items()
    ]
    return Table("What its imports cost", ("package", "modules", "ms"), rows)


def draw(figure: Figure, found: Found) -> None:
    """Seconds by size; the steps at the smallest and the largest."""
    left, right = figure.subplots(1, 2)
    names = dict.fromkeys(name for ways in found.ways.values() for name in ways)
    for name in names:
        points = [(size, ways[name].seconds) for size, ways in found.ways.items() if name in ways]
        left.plot(*zip(*points, strict=True), marker="o", label=name)
    left.set(xscale="log", yscale="log", xlabel="images", ylabel="seconds, whole process")
    left.set_xticks(list(found.ways), [f"{size:,}" for size in found.ways])
    left.set_yticks(SHOWN_SECONDS, [f"{seconds:g}" for seconds in SHOWN_SECONDS])
    left.minorticks_off()
    left.legend(fontsize="small", loc="center", bbox_to_anchor=(0.5, 0.65))
    for place, size in enumerate((min(found.steps), max(found.steps))):
        rows = [row + 0.4 * place for row in range(len(ORDER))]
        spent = [1e3 * found.steps[size][step][0] for step in ORDER]
        right.barh(rows, spent, height=0.4, label=f"{size:,} images")
    right.set_yticks([row + 0.2 for row in range(len(ORDER))], ORDER)
    right.invert_yaxis()
    right.set(xlabel="milliseconds, no daemon")
    right.legend(fontsize="small")
