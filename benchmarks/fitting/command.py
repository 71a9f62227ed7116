"""A whole `indexer train`, and how long each of its stages took by its own account."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ours

REST = "start, first weights, publishing"
_ENDED = re.compile(r"^([A-Z][^:]*): (\d+)(?: of \d+)? in ([\d.]+) s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, its parts of one name added up: seconds, and how many units it did."""

    name: str
    seconds: float
    units: int


def trained(pictures: Path, home: Path, epochs: int) -> list[Stage]:
    """The stages of `indexer train` with its default encoder, in their order; the last is `REST`.

    Raises CalledProcessError if it fails.
    """
    command = [*ours("indexer"), "train", "--fresh", "--epochs", str(epochs), "--home", str(home)]
    started = time.monotonic()
    ended = subprocess.run([*command, str(pictures)], capture_output=True, text=True, check=True)
    whole = time.monotonic() - started
    found = dict[str, Stage]()
    for name, units, seconds in _ENDED.findall(ended.stderr):
        before = found.get(name, Stage(name, 0, 0))
        found[name] = Stage(name, before.seconds + float(seconds), before.units + int(units))
    told = sum(stage.seconds for stage in found.values())
    return [*found.values(), Stage(REST, whole - told, 0)]
