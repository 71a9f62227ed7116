"""`python -m benchmarks.results [FOLDER]`: RESULTS.md from the kept JSON files, never typed."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.options import RESULTS
from benchmarks.report import Report, Table, read
from benchmarks.scale.text import table

PAGE = "RESULTS.md"
ORDER = ("indexing", "cold_query", "search", "training", "service", "growth")
"""Of the benchmarks, on the page and in a run of all."""

_HEAD = """# Results

Written by `make bench` from `benchmarks/results/*.json`; `python -m benchmarks.results` writes it
again. The ratios of a section were measured in one run; absolute figures are the machine's."""


def page(folder: Path) -> str:
    """The whole page, of the benchmarks that have results in the folder."""
    found = [read(folder / f"{name}.json") for name in ORDER if (folder / f"{name}.json").exists()]
    machines = list(dict.fromkeys(about["machine"] for _, about in found))
    parts = [_HEAD, *machines, _goals([report for report, _ in found])]
    without = [name for name in ORDER if name not in {report.name for report, _ in found}]
    if without:
        parts.append(f"Not measured here: {', '.join(without)}.")
    for report, about in found:
        parts += _section(report, about["finished"], folder.name)
    return "\n\n".join(parts) + "\n"


def _goals(reports: list[Report]) -> str:
    rows = [goal.row() for report in reports for goal in report.goals]
    met = sum(goal.met for report in reports for goal in report.goals)
    return f"**{met} of {len(rows)} goals are met.**\n\n" + table(("", "bar", "figure", ""), rows)


def _section(report: Report, finished: str, folder: str) -> list[str]:
    parts = [f"## {report.title}", f"![{report.title}]({folder}/{report.name}.png)"]
    parts += [_table(one) for one in report.tables]
    notes = [*report.notes, f"Measured {finished}."]
    parts.append("\n".join(f"- {note}" for note in notes))
    return parts


def _table(one: Table) -> str:
    return f"**{one.title}**\n\n" + table(one.header, one.rows)


def write(folder: Path) -> Path:
    """Write the page beside the folder of results; its path."""
    path = folder.parent / PAGE
    path.write_text(page(folder))
    return path


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if sys.argv[1:] else RESULTS))
