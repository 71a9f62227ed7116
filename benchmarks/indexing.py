"""Indexing: images a second, against decoding alone and against the article's way.

    python -m benchmarks.indexing [--full-size FOLDER] [OPTIONS]

The pictures are cut from the photographs of --full-size.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.measure import ours, run
from benchmarks.options import Options, run_with
from benchmarks.photographs import Photographs
from benchmarks.report import Goal, Report, Table, publish

MEGAPIXELS = (4000, 3000)
SHARE, TIMES = 0.8, 10
STAGES = (
    "decode",
    "encode",
    "store",
    "journal",
    "cluster",
    "list",
    "tidy",
    "start",
    "rest",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A folder of pictures of one size."""

    name: str
    folder: Path
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """Images a second of the three ways (medians), and a scan's processor seconds by stage."""

    name: str
    decoding: float
    scan: float
    article: float
    stages: dict[str, float]

    @property
    def share(self) -> float:
        """Of the limit."""
        return self.scan / self.decoding


def measure(options: Options) -> None:
    """Make the pictures, measure, print, keep."""
    home = options.home("indexing")
    if not (home / "models" / "current.json").exists():
        run(*ours("indexer"), "train", "--starter-only", options.pictures, home=home)
    kinds = _kinds(options)
    article = _article([kind.folder for kind in kinds], home, 16 if options.quick else 128)
    found = [_measured(*one, home, options) for one in zip(kinds, article, strict=True)]
    publish(_report(found), options, lambda figure: _draw(figure, found))


def _kinds(options: Options) -> list[Kind]:
    photographs, work = Photographs(options.full_size), options.home("photographs")
    small, middle, large = (100, 60, 6) if options.quick else (10_000, 4_000, 500)
    return [
        Kind("150 x 150", photographs.shrunk(work / "150", small, 150), small),
        Kind("512 x 512", photographs.cut(work / "512", middle, (512, 512)), middle),
        Kind("12 megapixels", photographs.cut(work / "12mp", large, MEGAPIXELS), large),
    ]


def _measured(kind: Kind, article: float, home: Path, options: Options) -> Found:
    decoding, scan = [], []
    for _ in range(1 if options.quick else 3):
        alone = run(sys.executable, "-m", "benchmarks.decode_alone", kind.folder, home)
        decoding.append(kind.count / alone.seconds)
        indexed = run(*ours("indexer"), "scan", kind.folder, home=fresh_home(home))
        scan.append(kind.count / indexed.seconds)
    stages = run(sys.executable, "-m", "benchmarks.stages", kind.folder, home=fresh_home(home))
    return Found(
        kind.name,
        statistics.median(decoding),
        statistics.median(scan),
        article,
        json.loads(stages.output),
    )


def _article(folders: list[Path], home: Path, most: int) -> list[float]:
    script = [sys.executable, "-m", "benchmarks.article_index"]
    done = run(*script, home / "article.pickle", str(most), *folders)
    rates: list[float] = json.loads(done.output.splitlines()[-1])
    return rates


def fresh_home(home: Path) -> Path:
    """A new home with the same models and nothing indexed."""
    fresh = home / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(home / "models", fresh / "models")
    return fresh


def _report(found: list[Found]) -> Report:
    header = ("pictures", "decoding alone", "scan", "of the limit", "article's way", "times faster")
    rows = [
        (
            one.name,
            f"{one.decoding:.0f}",
            f"{one.scan:.0f}",
            f"{one.share:.2f}",
            f"{one.article:.1f}",
            f"{one.scan / one.article:.0f}",
        )
        for one in found
    ]
    goals = [
        Goal(f"scan of {one.name}, share of decoding", one.share, SHARE, "at least")
        for one in found
    ]
    goals += [
        Goal(
            f"scan of {one.name}, times the article's way",
            one.scan / one.article,
            TIMES,
            "at least",
        )
        for one in found
    ]
    return Report(
        "indexing",
        "Indexing",
        [Table("Images a second", header, rows), _stages(found)],
        goals,
        (
            "Decoding alone is the product's own pool of workers, which reads, hashes and shrinks "
            "every file and forgets it; scan is `indexer scan` into an empty home. Both are whole "
            "processes, start included, in turns, medians of three.",
            "The article's way is its own network (512 x 512) in Keras, imports not counted.",
            "Small pictures are shrunk parts of photographs; the others are cut from mosaics of "
            "photographs as they are.",
            "Stages are shares of processor time: decoding in workers, encoding in threads, the "
            "rest in the thread that submits and writes.",
        ),
        {"found": [asdict(one) for one in found]},
    )


def _stages(found: list[Found]) -> Table:
    rows = [
        (stage, *(f"{one.stages.get(stage, 0) / sum(one.stages.values()):.0%}" for one in found))
        for stage in STAGES
    ]
    return Table(
        "Where a scan's processor time goes", ("stage", *(one.name for one in found)), rows
    )


def _draw(figure: Figure, found: list[Found]) -> None:
    left, right = figure.subplots(1, 2)
    names = [one.name for one in found]
    for place, way in enumerate(("decoding", "scan", "article")):
        values = [getattr(one, way) for one in found]
        bars = left.bar([n + 0.27 * (place - 1) for n in range(len(found))], values, 0.25)
        bars.set_label({"decoding": "decoding alone", "article": "article's way"}.get(way, way))
        left.bar_label(bars, fmt="%.0f", fontsize=8)
    left.set(yscale="log", ylabel="images a second", xticks=range(len(found)), xticklabels=names)
    left.legend(frameon=False)
    bottom = [0.0] * len(found)
    for stage in STAGES:
        shares = [one.stages.get(stage, 0) / sum(one.stages.values()) for one in found]
        right.bar(names, shares, 0.6, bottom, label=stage)
        bottom = [a + b for a, b in zip(bottom, shares, strict=True)]
    right.set(ylabel="share of a scan's processor time")
    right.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")


if __name__ == "__main__":
    run_with(__doc__, measure)
