"""What every benchmark takes on its command line."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples" / "photos"
MOST = 1_000_000
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Options:
    """`pictures`: real ones, whose vectors and pixels everything is made from. `full_size`:
    photographs as a camera writes them, or as near as there are. `work` keeps what was made for the
    next run; `out` gets the figures, by default those of a whole run only. `quick`: everything
    small, to see that it runs. Collections of search
    and growth have at most `most` images."""

    pictures: Path
    full_size: Path
    work: Path
    out: Path
    quick: bool
    most: int
    seed: int

    def home(self, name: str) -> Path:
        """A folder below `work`, told apart by size, so that quick runs leave the others alone."""
        return self.work / ("quick" if self.quick else "whole") / name


def run_with(doc: str | None, measure: Callable[[Options], None]) -> None:
    """Parse the command line, then measure; without --work in a folder that is removed."""
    # Installed modules are compiled, so ours shall be, whatever this shell prefers.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parser = _parser(doc)
    given = parser.parse_args()
    for name in ("pictures", "full_size"):
        if not getattr(given, name).is_dir():
            parser.error(f"{getattr(given, name)} is no folder: name one of photographs")
    if given.work:
        measure(_options(given, given.work))
        return
    with tempfile.TemporaryDirectory(prefix="lookalike-bench-") as work:
        measure(_options(given, Path(work)))


def arguments(options: Options) -> Sequence[str]:
    """The same options as a command line of another benchmark."""
    paths = ("pictures", "full_size", "work", "out")
    named = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in paths]
    numbers = [f"--most={options.most}", f"--seed={options.seed}"]
    return [*named, *numbers, *(["--quick"] if options.quick else [])]


def _parser(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, default=EXAMPLES, metavar="FOLDER")
    parser.add_argument("--full-size", type=Path, default=EXAMPLES, metavar="FOLDER")
    parser.add_argument("--work", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--most", type=int, default=MOST, metavar="IMAGES")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _options(given: argparse.Namespace, work: Path) -> Options:
    return Options(
        pictures=given.pictures.resolve(),
        full_size=given.full_size.resolve(),
        work=work.resolve(),
        out=(given.out or (work / "results" if given.quick else RESULTS)).resolve(),
        quick=given.quick,
        most=given.most,
        seed=given.seed,
    )
