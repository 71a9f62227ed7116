"""The files of a folder as queries: listed, sampled, decoded, encoded in batches."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import ImageRefused, RootError
from shared.images import pixels
from shared.reading import Limits
from shared.store.protocol import UNIT_TOLERANCE
from shared.types import EMBEDDING_SIZE, Embeddings, Encoder, Pixels, Raw

BATCH = 64
"""Pictures encoded together."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is no query, or a folder that cannot be listed: relative path and reason."""

    path: Raw
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class FolderQueries:
    """`paths` relative to `folder`, `vectors` float32 (n, 512) in the same order."""

    folder: Path
    paths: list[Raw]
    vectors: Embeddings
    refused: list[Refused]

    def file(self, row: int) -> str:
        """Where a query's file lies."""
        return os.path.join(self.folder, os.fsdecode(self.paths[row]))


def list_files(folder: Path, home: Path) -> tuple[list[Raw], list[Refused]]:
    """Every file below a folder, sorted by its relative path, and the folders that cannot be read.

    Hidden files and folders, links and the home are passed over, as indexing does. Raises
    `RootError` if there is no such folder.
    """
    if not folder.is_dir():
        wrong = "is not a folder: name the folder it lies in"
        raise RootError(f"{folder} {wrong if folder.exists() else 'does not exist'}")
    top, home_path = os.fsencode(folder), os.fsencode(os.path.realpath(home))
    top = top.rstrip(b"/") + b"/"
    found, refused = list[Raw](), list[Refused]()

    def unreadable(error: OSError) -> None:
        where = os.path.relpath(os.fsencode(error.filename), top)
        refused.append(Refused(where, f"cannot be listed: {error.strerror}"))

    for where, folders, files in os.walk(top, onerror=unreadable):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(b".")
            and os.path.realpath(os.path.join(where, name)) != home_path
        ]
        paths = [os.path.join(where, name) for name in files if not name.startswith(b".")]
        found += [path.removeprefix(top) for path in paths if not os.path.islink(path)]
    return sorted(found), refused


def sampled(paths: Sequence[Raw], number: int | None, seed: int) -> list[Raw]:
    """`number` of the paths drawn without replacement, in their order; all if that is fewer."""
    if number is None or number >= len(paths):
        return list(paths)
    chosen = random.Random(seed).sample(range(len(paths)), number)  # noqa: S311 - no secret
    return [paths[place] for place in sorted(chosen)]


def encode_files(
    folder: Path, paths: Sequence[Raw], encoder: Encoder, limits: Limits
) -> FolderQueries:
    """Decode and encode files; those that `searcher query` would refuse are refused here, too."""
    kept, refused = list[Raw](), list[Refused]()
    vectors = [np.empty((0, EMBEDDING_SIZE), np.float32)]
    for start in range(0, len(paths), BATCH):
        read, pictures = list[Raw](), list[Pixels]()
        for path in paths[start : start + BATCH]:
            try:
                pictures.append(
                    pixels(os.path.join(folder, os.fsdecode(path)), encoder.spec, limits)
                )
                read.append(path)
            except ImageRefused as error:
                refused.append(Refused(path, str(error)))
        if not read:
            continue
        rows = encoder.encode(np.stack(pictures))
        unit = np.abs(np.linalg.norm(rows.astype(np.float64), axis=1) - 1) <= UNIT_TOLERANCE
        for path, good in zip(read, unit, strict=True):
            if good:
                kept.append(path)
            else:
                refused.append(Refused(path, "gives no vector that can be compared"))
        vectors.append(rows[unit])
    return FolderQueries(folder, kept, np.concatenate(vectors), refused)
