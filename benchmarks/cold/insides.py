"""The inside of a cold query: its steps, and what its imports cost."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cold.steps import END, ORDER
from benchmarks.measure import ours, run

Steps = Mapping[str, tuple[float, float]]
"""By step, seconds and bytes of peak memory that it added."""

_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")
STANDARD = "(standard library)"


def steps(home: Path, image: Path, times: int) -> Steps:
    """The median of several queries, step by step."""
    runs = [_steps(home, image) for _ in range(times)]
    return {
        step: (
            statistics.median(one[step][0] for one in runs),
            statistics.median(one[step][1] for one in runs),
        )
        for step in ORDER
    }


def _steps(home: Path, image: Path) -> Steps:
    one = run(sys.executable, "-m", "benchmarks.cold.steps", "@began", home, image)
    spent: dict[str, tuple[float, int]] = json.loads(one.output.splitlines()[-1])
    unit = 1 if sys.platform == "darwin" else 1024
    found = {step: (seconds, peak * unit) for step, (seconds, peak) in spent.items()}
    return found | {END: (one.seconds - sum(seconds for seconds, _ in found.values()), 0.0)}


def import_costs(home: Path, image: Path, times: int) -> dict[str, tuple[float, int]]:
    """By package, seconds that a cold query takes to import its modules, the least of several runs
    for each, and how many they are; the longest first."""
    least = dict[str, int]()
    for _ in range(times):
        python, *command = ours("searcher")
        done = subprocess.run(
            [
                python,
                "-X",
                "importtime",
                *command,
                "query",
                image,
                "--self",
                "--json",
                "--home",
                home,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        for microseconds, module in _IMPORTED.findall(done.stderr):
            least[module] = min(least.get(module, 10**9), int(microseconds))
    found = dict[str, tuple[float, int]]()
    for module, microseconds in least.items():
        package = _package(module)
        seconds, count = found.get(package, (0.0, 0))
        found[package] = seconds + microseconds / 1e6, count + 1
    return dict(sorted(found.items(), key=lambda one: -one[1][0]))


def _package(module: str) -> str:
    top = module.partition(".")[0]
    return STANDARD if top in sys.stdlib_module_names else top
