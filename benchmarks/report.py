"""What a benchmark found: printed as tables, kept as JSON and as a figure."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from benchmarks.measure import machine, print_table
from benchmarks.options import Options

FORMAT = 1
"""Of the JSON files; another one is refused rather than misread."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure beside the bar that it must keep."""

    what: str
    figure: float
    bar: float
    kind: Literal["at least", "at most"]
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure, as measured and not as rounded, keeps the bar."""
        if self.kind == "at least":
            return self.figure >= self.bar
        return self.figure <= self.bar

    def row(self) -> tuple[str, str, str, str]:
        """What is asked, the bar, the figure and the verdict, as people read them."""
        unit = f" {self.unit}" if self.unit else ""
        bar = f"{self.kind} {self.bar:g}{unit}"
        return self.what, bar, f"{self.figure:.3g}{unit}", "met" if self.met else "**not met**"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a header and rows of text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found. `notes`: how it was measured, a sentence or two each."""

    name: str
    title: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)


def publish(report: Report, options: Options, draw: Callable[[Figure], None]) -> None:
    """Print the tables and goals; write NAME.json and NAME.png into the folder of results."""
    print(f"\n## {report.title}\n\n{machine()}", flush=True)
    for table in report.tables:
        print_table(table.title, table.header, table.rows)
    if report.goals and not options.quick:
        print_table("Goals", ("", "bar", "figure", ""), [goal.row() for goal in report.goals])
    options.out.mkdir(parents=True, exist_ok=True)
    value = {
        "format": FORMAT,
        "machine": machine(),
        "system": platform.system(),
        "matplotlib": version("matplotlib"),
        "quick": options.quick,
        "seed": options.seed,
        "finished": datetime.now(UTC).isoformat(timespec="minutes"),
        "report": asdict(report),
    }
    text = json.dumps(value, indent=1, default=float, allow_nan=False)
    (options.out / f"{report.name}.json").write_text(text + "\n")
    figure = Figure(figsize=(10, 4), layout="constrained")
    draw(figure)
    figure.savefig(options.out / f"{report.name}.png", dpi=110, metadata={"Software": None})


def read(path: Path) -> tuple[Report, dict[str, Any]]:
    """A report that was kept, and what is said of its run; ValueError for another format."""
    value: dict[str, Any] = json.loads(path.read_text())
    if value.get("format") != FORMAT:
        raise ValueError(f"{path} has format {value.get('format')}, not {FORMAT}: measure again")
    told = value.pop("report")
    told["tables"] = [Table(**table) for table in told["tables"]]
    told["goals"] = [Goal(**goal) for goal in told["goals"]]
    return Report(**told), value
