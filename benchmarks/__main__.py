"""Every benchmark, one after the other: `make bench`, and `make bench-quick` with --quick.

    python -m benchmarks [--only NAME...] [OPTIONS]

Prints every table and writes `benchmarks/RESULTS.md`; with --quick, which only shows that all of it
runs, nothing is kept unless --out says where. --pictures and --full-size name folders of
photographs to measure with instead of the examples; --most 100000 leaves out larger collections,
which take half an hour.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.measure import print_table
from benchmarks.options import Options, arguments, run_with
from benchmarks.results import ORDER, write


def main() -> None:
    """Run those that were named, or all."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", nargs="+", choices=ORDER, default=ORDER)
    chosen, others = parser.parse_known_args()
    sys.argv[1:] = others
    run_with(__doc__, lambda options: _run(chosen.only, options))


def _run(names: list[str], options: Options) -> None:
    rows = []
    for name in names:
        started = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}", *arguments(options)]
        subprocess.run(command, check=True)
        rows.append((name, f"{time.monotonic() - started:.0f}"))
    print_table("How long it took", ("benchmark", "seconds"), rows)
    print(f"\n{write(options.out)}")


if __name__ == "__main__":
    main()
