"""An owner of a home's store that dies by `kill -9`: `python -m benchmarks.cold.dying_owner HOME`.

Before, it writes some points of the store anew: as many as an owner ever has that are not flushed.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.cold.filling import BATCH
from shared.models import Models
from shared.settings import load_settings
from shared.store.hub import open_store


def main() -> None:
    """Write and die."""
    settings = load_settings({"home": Path(sys.argv[1])})
    store = open_store(settings, Models(settings.models).current().encoder, role="owner")
    pages = islice(
        store.scroll(batch_size=BATCH, with_vectors=True), (settings.flush_points - 1) // BATCH
    )
    for page in list(pages):
        rows = np.stack([one.vector for one in page if one.vector is not None])
        store.upsert([one.record for one in page], rows)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
