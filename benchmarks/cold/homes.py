"""The homes that are asked: one of each size, and its copies in other states."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cold.filling import fill, indexed_pictures, linked, sampled
from benchmarks.resampling import home_of

QUESTION = 7
"""Which of the pictures asks: one of those that are real, vector and all."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A home that was closed cleanly, and one of its pictures."""

    home: Path
    size: int
    question: Path

    @contextmanager
    def copied_for_now(self, name: str) -> Iterator[Path]:
        """A copy of the home beside it: a copied home works as it did."""
        copy = copied(self.home, self.home.with_name(f"{self.home.name}-{name}"))
        yield copy
        shutil.rmtree(copy)


def filled_homes(
    work: Path, pictures: Path, most: int, sizes: Sequence[int], seed: int
) -> list[Filled]:
    """A home of each size; those that are there already are kept."""
    files = sampled(pictures, work / "real", most)
    base = work / "base"
    if not (base / "journal.sqlite3").exists():
        home_of(work / "real", base)
    real = indexed_pictures(base, files)
    folders = {size: work / f"pictures-{size}" for size in sizes}
    paths = {size: linked(folder, real.files, size) for size, folder in folders.items()}
    found = []
    for size, folder in folders.items():
        home = work / f"home-{size}"
        if not home.exists():
            fill(home, folder, paths[size], real, seed)
        found.append(Filled(home, size, paths[size][QUESTION]))
    return found


def copied(home: Path, copy: Path) -> Path:
    """`cp` leaves holes where the store's files have them; Python would fill them."""
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["/bin/cp", "-a", home, copy], check=True)
    return copy


def killed(home: Path) -> None:
    """Let the owner of a home's store die by `kill -9`."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.cold.dying_owner", home], check=False)
    if done.returncode != -signal.SIGKILL:
        raise SystemExit(f"the owner of {home} ended with {done.returncode}")


@contextmanager
def network(h5: Path) -> Iterator[Path]:
    """The article's network, made meanwhile: it takes one processor for seconds."""
    command = [sys.executable, "-m", "benchmarks.article", "--network", str(h5)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        yield h5
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
