"""The limit of indexing: `python -m benchmarks.decode_alone FOLDER HOME` decodes and forgets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from shared.decoding.messages import Job
from shared.decoding.pool import DecodingPool
from shared.models import Models
from shared.reading import Limits
from shared.settings import load_settings
from shared.types import PixelSpec


def decode_all(paths: Iterable[Path], spec: PixelSpec, workers: int) -> None:
    """Decode files with the product's pool and do nothing with the pixels."""
    pool = DecodingPool([spec], Limits(), workers=workers, timeout_seconds=10)
    under_way = 0
    for key, path in enumerate(paths):
        if under_way >= pool.capacity:
            pool.take()
            under_way -= 1
        pool.submit(key, Job(os.fsencode(path)))
        under_way += 1
    pool.push()
    for _ in range(under_way):
        pool.take()
    pool.close()


def main(folder: Path, home: Path) -> None:
    """Decode every JPEG below the folder for the home's encoder."""
    settings, models = load_settings({"home": home}), Models(home / "models")
    spec = models.bundle(models.current().encoder).spec
    decode_all(folder.rglob("*.jpg"), spec, settings.workers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
