"""`python -m benchmarks.growth`: time, memory and disk per image, from 1,000 to 1,000,000 images.

`indexer scan` of real files, small ones made from the pictures, as far as there are files; beyond,
one store and one journal filled with vectors made from those of the pictures. Every curve gets the
exponent of its total: 1 is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.growing.curves import Curve
from benchmarks.growing.figure import draw
from benchmarks.growing.filling import NOISE, QUERIES, vector_curves
from benchmarks.growing.scans import scan_curves
from benchmarks.options import Options, run_with
from benchmarks.report import Goal, Report, Table, publish
from benchmarks.resampling import home_of

FILES = (1_000, 4_000, 8_000, 16_000)
VECTORS = (10_000, 100_000, 1_000_000)
QUICK = (200, 1_000)
ROUNDS = 2
PHOTOS = 500
"""Pictures that the small files are made from."""
LINEAR = 1.05
BYTES_EACH = 5_000


def measure(options: Options) -> None:
    """Scan, fill, fit, publish."""
    files, wanted, rounds = (QUICK, QUICK, 1) if options.quick else (FILES, VECTORS, ROUNDS)
    vectors = [count for count in wanted if count <= options.most]
    work = options.home("growth")
    home = work / "home"
    if not (home / "store").exists():
        home_of(options.pictures, home)
    photos = _photos(options.pictures)
    scans = scan_curves(work, home / "models", files, photos, rounds)
    curves = scans + vector_curves(home, work, vectors, options.seed)
    report = Report(
        name="growth",
        title="Growth: time, memory and disk by the number of images",
        tables=[_table(curves)],
        goals=_goals(curves),
        notes=_notes(rounds),
        measured={curve.name: dict(curve.totals) for curve in curves},
    )
    publish(report, options, lambda figure: draw(figure, curves))


def _photos(folder: Path) -> list[Path]:
    """At most so many of all pictures, evenly taken."""
    kinds = (".jpg", ".jpeg", ".png")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    return found[:: -(-len(found) // PHOTOS) or 1]


def _table(curves: Sequence[Curve]) -> Table:
    sizes = sorted({size for curve in curves for size in curve.totals})
    rows = [
        (f"{curve.name}, {curve.unit}", *map(curve.cell, sizes), f"{curve.exponent:.2f}")
        for curve in curves
    ]
    header = ("", *(f"{size:,}" for size in sizes), "exponent")
    return Table("What images cost, by their number", header, rows)


def _goals(curves: Sequence[Curve]) -> list[Goal]:
    def steepest(panel: str) -> Goal:
        worst = max((c for c in curves if c.panel == panel), key=lambda curve: curve.exponent)
        what = f"steepest exponent of {panel} ({worst.name})"
        return Goal(what, worst.exponent, LINEAR, "at most")

    (peak,) = (c.totals for c in curves if c.name.startswith("scan, peak"))
    few, many = min(peak), max(peak)
    each = (peak[many] - peak[few]) / (many - few)
    slope = Goal(
        "peak memory of a scan, per image more", each / 1e3, BYTES_EACH / 1e3, "at most", "KB"
    )
    return [steepest("time"), steepest("disk"), slope]


def _notes(rounds: int) -> list[str]:
    return [
        f"`indexer scan`: whole processes on files of 128 x 128 pixels, medians of {rounds} rounds "
        "in which the sizes take turns; every scan begins with a home that has models only.",
        "Store and journal are one of each that grow through all sizes, written 64 images at a "
        f"time as by a scan; the vectors are real ones moved by a random step of length {NOISE}. "
        "The clusters stay those of the real pictures, so that they grow with the collection.",
        f"A process of its own opens the store, asks {QUERIES} questions of their own clusters, "
        "then reads all. Time is of all processors, but of the clock where that is said and for "
        "searches; disk is what is allocated.",
        "The exponent is that of the total, by least squares in the logarithms over the upper half "
        "of a curve: the sizes from the geometric mean of its ends on, drawn thick. 1 is linear.",
    ]


if __name__ == "__main__":
    run_with(__doc__, measure)
