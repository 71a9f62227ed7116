"""What it costs that a picture can crash only its own decoder: worker processes beside threads.

`python -m benchmarks.isolation [--full-size FOLDER] [--work FOLDER]`
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from benchmarks.decode_alone import decode_all
from benchmarks.measure import print_table
from benchmarks.options import Options, run_with
from benchmarks.photographs import Photographs
from shared.images import decode
from shared.reading import Limits, read_file
from shared.types import PixelSpec

SPEC = PixelSpec(size=64)
WORKERS = len(os.sched_getaffinity(0))


def read(path: Path) -> bytes:
    """One file through the product's decoder; the pixels as they would travel."""
    return decode(read_file(path, Limits())[0], [SPEC]).pixels[0].tobytes()


def in_threads(paths: Sequence[Path]) -> None:
    """No isolation: a crash ends the daemon, a hang keeps a thread for ever."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(read, paths):
            pass


def in_stock_processes(paths: Sequence[Path]) -> None:
    """The standard library's pool: one crash breaks the whole pool, no time limit, pickles."""
    with ProcessPoolExecutor(WORKERS) as pool:
        for _ in pool.map(read, paths, chunksize=8):
            pass


def in_our_pool(paths: Sequence[Path]) -> None:
    """The product's pool."""
    decode_all(paths, SPEC, WORKERS)


def rate(way: Callable[[Sequence[Path]], None], paths: Sequence[Path]) -> float:
    """Images a second, start of the workers included."""
    started = time.monotonic()
    way(paths)
    return len(paths) / (time.monotonic() - started)


def main(options: Options) -> None:
    """Print images a second and the ratio to threads, the ways taking turns."""
    rows = []
    ways = (in_threads, in_stock_processes, in_our_pool)
    photographs, work = Photographs(options.full_size), options.home("isolation")
    small, large = (80, 20) if options.quick else (8_000, 2_000)
    for name, folder in (
        ("128 x 128", photographs.shrunk(work / "128", small, 128)),
        ("512 x 512", photographs.cut(work / "512", large, (512, 512))),
    ):
        paths = sorted(folder.rglob("*.jpg"))
        rates = {way: [] for way in ways}  # type: dict[Callable[[Sequence[Path]], None], list[float]]
        for _ in range(3):
            for way in ways:
                rates[way].append(rate(way, paths))
        medians = [statistics.median(rates[way]) for way in ways]
        rows.append((name, *(f"{one:.0f} ({one / medians[0]:.2f})" for one in medians)))
    print_table(
        f"Decoding alone, images/s with {WORKERS} workers (ratio to threads)",
        ("pictures", "threads", "stock process pool", "our workers"),
        rows,
    )


if __name__ == "__main__":
    run_with(__doc__, main)
