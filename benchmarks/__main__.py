"""`python -m benchmarks [WORK]`: every benchmark; WORK keeps pictures and homes between runs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import main_job
from benchmarks.measure import machine


def main() -> None:
    """Print every table."""
    print(machine())
    if len(sys.argv) > 1:
        main_job.main(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as work:
        main_job.main(Path(work))


if __name__ == "__main__":
    main()
