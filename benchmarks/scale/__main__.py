"""python -m benchmarks.scale [--write DOC] [--pictures-to FOLDER] [--seed N]
    python -m benchmarks.scale --measure PICTURES

Prints the tables of `docs/scale.md`, each under the name of its place there. `--write` replaces
what stands between `<!-- NAME -->` and `<!-- end NAME -->` in a document. `--measure` makes the
short measurements with the pictures below a folder (about four minutes on one processor) and
writes `benchmarks/scale/measured.json`, from which everything else follows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.scale import answers, decision, tables
from benchmarks.scale.inputs import MEASURED
from benchmarks.scale.places import replaced

SEED = 0


def every_table(seed: int = SEED) -> dict[str, str]:
    """Markdown by the name of its place; the same seed gives the same text."""
    return {
        "decide": decision.decide(),
        "cost": tables.cost(),
        "layouts": tables.layouts(),
        "nodes": tables.nodes(),
        "search": answers.search(),
        "answers": answers.answers(seed),
        "indexing": tables.first_indexing(),
        "balance": answers.balance(),
        "upkeep": tables.upkeep(),
        "network": tables.network(),
        "gives-way": decision.gives_way(),
        "checks": answers.checks(seed),
        "inputs": tables.inputs(),
    }


def main() -> None:
    """Measure, or compute and print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="DOC")
    parser.add_argument("--pictures-to", type=Path, metavar="FOLDER")
    parser.add_argument("--measure", type=Path, metavar="PICTURES")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    if given.measure:
        from benchmarks.scale.measuring import measure

        MEASURED.write_text(json.dumps(measure(given.measure, given.seed)) + "\n")
        return
    if given.pictures_to:
        from benchmarks.scale.figures import draw

        draw(given.pictures_to)
    found = every_table(given.seed)
    if given.write:
        given.write.write_text(replaced(given.write.read_text(), found))
        return
    for name, text in found.items():
        print(f"\n### {name}\n\n{text}")


if __name__ == "__main__":
    main()
