"""The pictures of a comparison: listed, sampled, read once, and which of them are asked with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.listing import Chooser, list_root
from indexer.training.source import ImagePath, PixelSource, check_images
from shared.errors import TrainingError
from shared.floors import SPEC
from shared.reading import Limits
from shared.settings import Settings
from shared.types import Pixels, PixelSpec, Progress

BATCH = 64
"""Pictures decoded and encoded together."""

NO_LABEL = -1


def list_pictures(
    folder: Path, exclude: Sequence[str], settings: Settings, progress: Progress
) -> list[bytes]:
    """Full paths of what a scan of `folder` would look at, sorted. Raises `RootError`."""
    root = os.fsencode(folder.resolve())
    listing = list_root(root, Chooser(exclude, settings.home))
    for hidden, reason in listing.unknown.items():
        path = os.fsdecode(os.path.join(root, hidden))
        progress.say(f"warning: {path}: {reason}: passed over")
    return sorted(os.path.join(root, path) for path in listing.files)


def sampled(paths: Sequence[bytes], number: int | None, seed: int) -> list[bytes]:
    """`number` of the paths drawn without replacement, in their order; all if that is fewer."""
    if number is None or number >= len(paths):
        return list(paths)
    chosen = random.Random(seed).sample(range(len(paths)), number)  # noqa: S311 - no secret
    return [paths[place] for place in sorted(chosen)]


@dataclass(frozen=True, slots=True)
class Album:
    """Readable pictures. `paths` and `hashes` (SHA-256 of the files) run in parallel; a picture's
    row is its place in them. `source` remembers the pixels of the floors' geometry."""

    paths: tuple[ImagePath, ...]
    hashes: tuple[str, ...]
    refused: tuple[tuple[ImagePath, str], ...]
    source: PixelSource
    limits: Limits
    workers: int

    @classmethod
    def read(
        cls, paths: Sequence[bytes], limits: Limits, workers: int, progress: Progress
    ) -> Album:
        """Decode every file once; `close` it when done."""
        source = PixelSource(SPEC, limits, workers=workers)
        try:
            checked = check_images(paths, source, progress)
        except BaseException:
            source.close()
            raise
        return cls(checked.good, checked.hashes, checked.refused, source, limits, workers)

    def __len__(self) -> int:
        return len(self.paths)

    def close(self) -> None:
        """End the threads that decode."""
        self.source.close()

    def chunks(self, spec: PixelSpec) -> Iterator[Pixels]:
        """All pixels in order, uint8 (up to 64, size, size, 3).

        Raises `TrainingError` when a file cannot be read any more: rows must stay aligned.
        """
        if spec == self.source.spec:
            yield from self._chunks(self.source)
            return
        with PixelSource(spec, self.limits, workers=self.workers, cache_bytes=0) as source:
            yield from self._chunks(source)

    def _chunks(self, source: PixelSource) -> Iterator[Pixels]:
        for start in range(0, len(self.paths), BATCH):
            some = self.paths[start : start + BATCH]
            pictures = []
            for path, found in zip(some, source.many(some), strict=True):
                if found is None:
                    raise TrainingError(
                        f"{os.fsdecode(path)} cannot be read any more: leave the folder in peace "
                        "and compare again"
                    )
                pictures.append(found)
            yield np.stack(pictures)


def label_codes(paths: Sequence[ImagePath], labels: dict[bytes, str]) -> NDArray[np.int64]:
    """int64 (n,): each picture's label as a number, -1 where it has none."""
    number = {label: code for code, label in enumerate(sorted(set(labels.values())))}
    found = [labels.get(os.fsencode(path)) for path in paths]
    return np.array([NO_LABEL if label is None else number[label] for label in found], np.int64)


def held_out_rows(codes: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """Sorted rows of about `share` of the pictures, of every label the same share within one.

    Drawn from `seed`: shuffled, put in order of their labels, and taken at equal distances.
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    steps = np.floor(np.arange(len(codes) + 1) * share)
    return np.sort(order[np.diff(steps) > 0])
