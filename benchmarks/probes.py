"""What `--probes auto` finds and searches, against a fixed number of clusters.

    python -m benchmarks.probes DIR [--queries N] [--number K ...] [--train] [--json FILE]

Indexes every picture below DIR in a home of its own, with the encoder that ships or, with --train,
one trained on them, and runs `searcher eval` with a sample of them as queries, each left out of its
own results. `fixed needs` is the coverage at which fixed numbers of clusters reach auto's recall,
between two of them in proportion.
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
    parser.add_argument("--number", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--k", default="auto")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as work:
        home = Path(work)
        train = [] if given.train else ["--starter-only"]
        run(*ours("indexer"), "train", given.folder, *train, "--k", given.k, home=home)
        run(*ours("indexer"), "scan", given.folder, home=home)
        found = {number: _evaluated(home, given, number) for number in given.number}
    print(f"{machine()}\n\n{given.folder.name}, {given.queries} queries\n")
    print("\n".join(table(found)))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def _evaluated(home: Path, given: argparse.Namespace, number: int) -> dict[str, Any]:
    options = ["--sample", str(given.queries), "-k", str(number), "--no-floors", "--json"]
    done = run(*ours("searcher"), "eval", given.folder, *options, home=home)
    value: dict[str, Any] = json.loads(done.output)
    return value


def table(found: dict[int, dict[str, Any]]) -> list[str]:
    """Rows of Markdown: for each number of results, fixed numbers of clusters, auto and all."""
    lines = [
        "| results | probes | recall | expected | coverage | fixed needs | ms p50 |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, value in found.items():
        key = f"recall_at_{number}"
        fixed = [row for row in value["probes"] if row["probes"] != "auto"]
        for row in value["probes"]:
            needs = np.interp(
                row[key], [one[key] for one in fixed], [one["coverage"] for one in fixed]
            )
            needed = f"{needs:.3f}" if row["probes"] == "auto" else ""
            lines.append(
                f"| {number} | {row['probes']} | {row[key]:.3f} | {row['expected_recall']:.3f} | "
                f"{row['coverage']:.3f} | {needed} | {row['ms_p50']:.2f} |"
            )
    return lines


if __name__ == "__main__":
    main()
