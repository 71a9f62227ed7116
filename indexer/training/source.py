"""Where training's pixels come from: decoded in threads, then kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from indexer.training.kept import ImagePath, KeptPixels
from shared.errors import ImageRefused
from shared.images import pixels
from shared.reading import Limits, content_hash, read_file
from shared.types import Pixels, PixelSpec, Progress

__all__ = ["CACHE_BYTES", "CheckedImages", "ImagePath", "PixelSource", "check_images"]

CACHE_BYTES = 512 * 2**20
"""Memory that decoded pixels may take: 10,900 pictures of 128 x 128."""

_AT_ONCE = 64


class PixelSource:
    """Decodes files in `workers` threads and remembers what it decoded: up to `cache_bytes` in
    memory and, given a folder `scratch`, more in a file there; see `KeptPixels`.

    Pillow releases the interpreter while it decodes, so threads are enough. Files whose pixels fit
    nowhere are decoded again each time. Use it as a context, which ends the threads.
    """

    def __init__(
        self,
        spec: PixelSpec,
        limits: Limits | None = None,
        *,
        workers: int = 2,
        cache_bytes: int = CACHE_BYTES,
        scratch: Path | None = None,
    ) -> None:
        self.spec = spec
        self._limits = limits or Limits()
        self._kept = KeptPixels(spec.size, cache_bytes, scratch)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    def __enter__(self) -> PixelSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; work not yet begun is dropped."""
        self._pool.shutdown(cancel_futures=True)
        self._kept.close()

    def many(self, paths: Sequence[ImagePath]) -> list[Pixels | None]:
        """Pixels of each path, in order: uint8 (size, size, 3), or None where it is refused.

        The arrays are the cache's own and read-only.
        """
        found = [self._kept.at_hand(path) for path in paths]
        missing = [place for place, picture in enumerate(found) if picture is None]
        read = self._pool.map(self._pixels, [paths[place] for place in missing])
        for place, picture in zip(missing, read, strict=True):
            found[place] = picture
        return found

    def inspect(self, paths: Sequence[ImagePath]) -> list[str | ImageRefused]:
        """Each path's content hash (SHA-256, hexadecimal) or the reason that it is refused.

        Fills the cache on the way.
        """
        return list(self._pool.map(self._inspect, paths))

    def _inspect(self, path: ImagePath) -> str | ImageRefused:
        try:
            data = read_file(path, self._limits)[0]
            self._keep(path, pixels(data, self.spec, self._limits))
        except ImageRefused as refused:
            return refused
        return content_hash(data)

    def _pixels(self, path: ImagePath) -> Pixels | None:
        kept = self._kept.find(path)
        if kept is not None:
            return kept
        try:
            data = read_file(path, self._limits)[0]
            return self._keep(path, pixels(data, self.spec, self._limits))
        except ImageRefused:
            return None

    def _keep(self, path: ImagePath, found: Pixels) -> Pixels:
        found = np.ascontiguousarray(found)
        found.setflags(write=False)
        self._kept.keep(path, found)
        return found


@dataclass(frozen=True, slots=True)
class CheckedImages:
    """What is fit for training. `good` and `hashes` (SHA-256 of the files) run in parallel;
    `refused` pairs a path with the reason."""

    good: tuple[ImagePath, ...]
    hashes: tuple[str, ...]
    refused: tuple[tuple[ImagePath, str], ...]


def check_images(
    paths: Sequence[ImagePath], source: PixelSource, progress: Progress
) -> CheckedImages:
    """Decode every picture once, so that training meets no bad one and later epochs decode none."""
    good, hashes, refused = [], [], []
    with progress.stage("Reading pictures", len(paths)) as stage:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            for path, found in zip(some, source.inspect(some), strict=True):
                if isinstance(found, ImageRefused):
                    refused.append((path, str(found)))
                else:
                    good.append(path)
                    hashes.append(found)
            stage.advance(len(some))
    return CheckedImages(tuple(good), tuple(hashes), tuple(refused))
