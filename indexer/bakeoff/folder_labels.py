"""Labels by first folder level, until `indexer.training.labels` is there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from indexer.training.source import ImagePath
from shared.errors import TrainingError


def labels_for(
    paths: Sequence[ImagePath], folders: Sequence[Path], csv: Path | None
) -> dict[bytes, str]:
    """The label of each path that lies in a folder below one of `folders`."""
    if csv is not None:
        raise TrainingError(f"{csv}: labels from a file are not there yet: use folders")
    found: dict[bytes, str] = {}
    for folder in folders:
        root = os.fsencode(folder.resolve()) + b"/"
        for path in map(os.fsencode, paths):
            label, slash, _ = path.removeprefix(root).partition(b"/")
            if path.startswith(root) and slash:
                found[path] = os.fsdecode(label)
    return found
