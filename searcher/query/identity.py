"""Which indexed images are the query images themselves. Imports neither NumPy nor Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from searcher.query.source import Query
from shared.points import points_of
from shared.types import ImageRecord, absolute_path

FileId = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class OwnImages:
    """Indexed images that are query images: by point id, and by device and inode of their files.

    `hashes`: SHA-256 of the query images. Only a file with the same content is looked at on disk.
    """

    points: frozenset[str] = frozenset()
    files: frozenset[FileId] = frozenset()
    hashes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.points or self.files)

    def hold(self, record: ImageRecord, roots: Mapping[str, Path]) -> bool:
        """Return whether an indexed image is one of them. `roots`: the folder of each root id."""
        if record.id in self.points:
            return True
        root = roots.get(record.root)
        if not self.files or root is None or record.sha256 not in self.hashes:
            return False
        try:
            found = os.stat(absolute_path(root, record))
        except OSError:
            return False  # what cannot be looked at stays among the results
        return (found.st_dev, found.st_ino) in self.files


NO_OWN = OwnImages()


def own_images(queries: Iterable[Query], roots: Mapping[str, Path]) -> OwnImages:
    """Return the indexed images that query images from files are, as far as their paths tell, with
    their device and inode. `roots`: the folder of each root id."""
    points, files = set[str](), set[FileId]()
    for query in queries:
        if query.path is not None and query.file is not None:
            points.update(points_of(query.path, roots))
            files.add((query.file.device, query.file.inode))
    return OwnImages(frozenset(points), frozenset(files))
