"""`python -m benchmarks [WORK]`: every benchmark; WORK keeps pictures and homes between runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import main_job
from benchmarks.measure import machine


def main() -> None:
    """Print every table."""
    print(machine())
    if len(sys.argv) > 1:
        _run(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as work:
        _run(Path(work))


def _run(work: Path) -> None:
    main_job.main(work)
    photos = main_job.PHOTOS[0].parent.parent
    for script, *arguments in (
        ("search", "--pictures", photos, "--k", "6", "16"),
        ("probes", work / "small", "--queries", "500"),
        ("near_duplicates", work / "home"),
        ("wire",),
        ("scale",),
    ):
        command = [sys.executable, "-m", f"benchmarks.{script}", *map(str, arguments)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
