"""The limit of indexing: `python -m benchmarks.decode_alone FOLDER HOME` decodes and forgets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from indexer.decoding.messages import Job
from indexer.decoding.pool import DecodingPool
from shared.models import Models
from shared.reading import Limits
from shared.settings import load_settings


def main(folder: Path, home: Path) -> None:
    """Decode every JPEG below the folder with the product's pool, for the home's encoder."""
    settings, models = load_settings({"home": home}), Models(home / "models")
    spec = models.bundle(models.current().encoder).spec
    pool = DecodingPool(
        [spec],
        Limits(),
        workers=settings.workers,
        timeout_seconds=settings.decode_timeout_seconds,
    )
    under_way = 0
    for key, path in enumerate(folder.rglob("*.jpg")):
        if under_way >= pool.capacity:
            pool.take()
            under_way -= 1
        pool.submit(key, Job(os.fsencode(path)))
        under_way += 1
    pool.push()
    for _ in range(under_way):
        pool.take()
    pool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
