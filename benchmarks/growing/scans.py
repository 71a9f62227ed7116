"""`indexer scan` of real files: time, peak memory and disk by their number."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.growing.curves import Curve
from benchmarks.measure import mosaics, ours, run
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class Scan:
    """One run: seconds by the clock and of all processors, bytes of its largest process."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def folders(work: Path, sizes: Sequence[int], photos: Sequence[Path]) -> dict[int, Path]:
    """A folder of small JPEGs for every size; the smaller ones are parts of the largest."""
    files = mosaics(work / "small", max(sizes), 1, photos)
    found = {}
    for size in sizes:
        found[size] = work / f"small-{size}"
        for path in files[:size]:
            link = found[size] / path.relative_to(work / "small")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                os.link(path, link)
    return found


def scan_curves(
    work: Path, models: Path, sizes: Sequence[int], photos: Sequence[Path], rounds: int
) -> list[Curve]:
    """Medians of `rounds` in which the sizes take turns; every home starts with the models only."""
    found = folders(work, sizes, photos)
    first: dict[int, list[Scan]] = {size: [] for size in sizes}
    again: dict[int, list[Scan]] = {size: [] for size in sizes}
    disk: dict[int, dict[str, int]] = {}
    for _ in range(rounds):
        for size, folder in found.items():
            home = _fresh_home(work, models)
            first[size].append(_scan(folder, home))
            again[size].append(_scan(folder, home))
            disk[size] = _disk(home)
            shutil.rmtree(home)
    return [
        Curve("scan, by the clock", "time", _median(first, "seconds")),
        Curve("scan, processors", "time", _median(first, "processor_seconds")),
        Curve("scan with nothing to do", "time", _median(again, "processor_seconds")),
        Curve("scan, peak of its largest process", "memory", _median(first, "peak_bytes"), False),
        Curve("store after a scan", "disk", {size: disk[size]["store"] for size in sizes}),
        Curve("journal after a scan", "disk", {size: disk[size]["journal"] for size in sizes}),
    ]


def allocated(*paths: Path) -> int:
    """Bytes that files, and those below folders, have on the disk; holes do not count."""
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files)


def journal_files(journal: Path) -> list[Path]:
    """SQLite's file with its log and its shared memory, those that there are."""
    return sorted(journal.parent.glob(f"{journal.name}*"))


def _scan(folder: Path, home: Path) -> Scan:
    began = _children_seconds()
    done = run(*ours("indexer"), "scan", folder, home=home)
    return Scan(done.seconds, _children_seconds() - began, done.peak_bytes)


def _children_seconds() -> float:
    """Of all processors, by children that have ended and by theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _fresh_home(work: Path, models: Path) -> Path:
    fresh = work / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(models, fresh / "models")
    return fresh


def _disk(home: Path) -> dict[str, int]:
    settings = load_settings({"home": home})
    return {
        "store": allocated(settings.store),
        "journal": allocated(*journal_files(settings.journal)),
    }


def _median(runs: dict[int, list[Scan]], name: str) -> dict[int, float]:
    return {
        size: statistics.median(getattr(one, name) for one in all_) for size, all_ in runs.items()
    }
