"""`python -m tests.faults.crasher --duration SECONDS --seed N`: exit code 1 on any loss."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.crasher.run import Crasher
from tests.homes import tiny_encoder


def main() -> int:
    """Run the crasher in a temporary folder, which is kept if something was lost."""
    parser = argparse.ArgumentParser(prog="crasher", description=__doc__)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of rounds")
    parser.add_argument("--seed", type=int, default=0, help="what the rounds derive from")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lookalike-crash-"))
    tflite = tiny_encoder(folder / "encoder.tflite")
    crasher = Crasher(folder / "run", given.seed, tflite, lambda line: print(line, flush=True))
    totals = crasher.run(given.duration)
    print(
        f"seed {totals.seed}: {totals.rounds} rounds, {totals.kills} kills, {totals.stops} stops, "
        f"{totals.operations} operations, {totals.queries} queries, {len(totals.losses)} losses"
    )
    if not totals.losses:
        shutil.rmtree(folder)
        return 0
    for loss in totals.losses:
        print(f"  {loss}")
    last = totals.rounds - 1
    print(
        f"lost with --seed {totals.seed} in round {last}; the damaged home: {folder / 'run/home'}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
