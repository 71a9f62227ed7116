"""What `--probes auto` finds and looks at, against a fixed number of clusters.

    python -m benchmarks.probes DIR [--queries N] [--recall X ...] [--train] [--json FILE]

Indexes every picture below DIR in a home of its own, with the encoder that ships or, with --train,
one trained on them, and asks with a sample of them through `searcher eval`. `needs` is the coverage
at which fixed numbers of clusters reach auto's recall, between two of them in proportion.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine, ours, run


def main() -> None:
    """Index, ask, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--recall", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--k", default="auto")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as work:
        home = Path(work)
        train = [] if given.train else ["--starter-only"]
        run(*ours("indexer"), "train", given.folder, *train, "--k", given.k, home=home)
        run(*ours("indexer"), "scan", given.folder, home=home)
        found = {wanted: _evaluated(home, given, wanted) for wanted in given.recall}
    print(f"{machine()}\n\n{given.folder.name}, {given.queries} queries\n")
    print("\n".join(table(found)))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def _evaluated(home: Path, given: argparse.Namespace, wanted: float) -> dict[str, Any]:
    options = ["--sample", str(given.queries), "--recall", str(wanted), "--no-floors", "--json"]
    done = run(*ours("searcher"), "eval", given.folder, *options, home=home)
    value: dict[str, Any] = json.loads(done.output)
    return value


def table(found: dict[float, dict[str, Any]]) -> list[str]:
    """Rows of Markdown: fixed numbers of clusters, then auto for each wanted recall."""
    first = next(iter(found.values()))
    fixed = [row for row in first["probes"] if row["probes"] != "auto"]
    lines = [
        "| probes | recall@10 | coverage | fixed needs | ratio | ms p50 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(str(row["probes"]), row, "", "") for row in fixed]
    for wanted, value in found.items():
        row = next(row for row in value["probes"] if row["probes"] == "auto")
        needs = float(
            np.interp(
                row["recall_at_10"],
                [one["recall_at_10"] for one in fixed],
                [one["coverage"] for one in fixed],
            )
        )
        ratio = f"{row['coverage'] / needs:.2f}"
        lines.append(_line(f"auto, {wanted:g} wanted", row, f"{needs:.3f}", ratio))
    return lines


def _line(name: str, row: dict[str, Any], needs: str, ratio: str) -> str:
    recall, coverage = row["recall_at_10"], row["coverage"]
    return f"| {name} | {recall:.3f} | {coverage:.3f} | {needs} | {ratio} | {row['ms_p50']:.2f} |"


if __name__ == "__main__":
    main()
