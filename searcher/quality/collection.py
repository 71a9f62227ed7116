"""The points of a store as rows: which row is which file, and what its label is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from searcher.pictures import located
from searcher.quality.folder_queries import FolderQueries
from shared.labels import read_labels
from shared.points import points_of
from shared.store.protocol import VectorStore
from shared.types import Raw

NO_LABEL = -1


def first_level(relative: Raw) -> bytes | None:
    """The label of a file: the first folder of its relative path, None if it lies in no folder."""
    folder, slash, _ = relative.partition(b"/")
    return folder if slash else None


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """All points at one moment. A point's row is its place in `files`.

    `rows`: row by point id. `files`: where each picture lies, None if its root is unknown on this
    machine. `labels`: the first folder level below each point's root.
    """

    rows: Mapping[str, int]
    files: Sequence[str | None]
    labels: Sequence[bytes | None]

    @classmethod
    def read(cls, store: VectorStore, roots: Mapping[str, Path]) -> Collection:
        """The points of a store; no vector is read."""
        records = [image.record for batch in store.scroll() for image in batch]
        return cls(
            rows={record.id: row for row, record in enumerate(records)},
            files=[located(roots, record) for record in records],
            labels=[first_level(record.relative()) for record in records],
        )

    def __len__(self) -> int:
        return len(self.files)

    def own_rows(
        self, folder: Path, paths: Sequence[Raw], roots: Mapping[str, Path]
    ) -> NDArray[np.int64]:
        """int64 (n,): the row of each file's own point, -1 for files that are not indexed.

        `paths` are relative to `folder`. A file is a point if it lies at the point's path below
        the point's root; a copy elsewhere is another picture.
        """
        top = os.fsencode(os.path.realpath(folder))
        canonical = {key: Path(os.path.realpath(root)) for key, root in roots.items()}
        own = np.full(len(paths), -1, np.int64)
        for place, path in enumerate(paths):
            for point in points_of(os.path.join(top, path), canonical):
                own[place] = self.rows.get(point, own[place])
        return own


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels as numbers: `points` int64 (total,), `queries` int64 (n,); -1 where there is none.

    `counts` bool (n,): queries whose label another point has. Only they can be answered right, so
    only they count in P@k and mAP.
    """

    points: NDArray[np.int64]
    queries: NDArray[np.int64]
    counts: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        queries: Sequence[bytes | None],
        points: Sequence[bytes | None],
        own: NDArray[np.int64],
    ) -> Labels:
        """From each query's and each point's label; `own` as `Collection.own_rows` gives it."""
        number = {label: code for code, label in enumerate(sorted(filter(None, set(points))))}
        known, asked = _codes(points, number), _codes(queries, number)
        sizes = np.bincount(known[known >= 0], minlength=max(1, len(number)))
        # The query's own point is no answer; it need not have the query's label, whose folder may
        # lie deeper than the root.
        itself = (own >= 0) & (known[own] == asked)
        return cls(known, asked, (asked >= 0) & (sizes[asked] - itself > 0))

    def relevant(self, query: int, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool (n,): which of these points have the query's label."""
        same: NDArray[np.bool_] = self.points[np.asarray(rows, np.int64)] == self.queries[query]
        return same


def _codes(labels: Sequence[bytes | None], number: Mapping[bytes, int]) -> NDArray[np.int64]:
    codes = [NO_LABEL if label is None else number.get(label, NO_LABEL) for label in labels]
    return np.array(codes, np.int64)


def labels_of(
    asked: FolderQueries,
    own: NDArray[np.int64],
    collection: Collection,
    table: Path | None,
    roots: Mapping[str, Path],
) -> tuple[Labels, Sequence[str]]:
    """Labels from the first folder levels, or from a CSV that may name files relative to the
    folder of the queries or to a root; and what a person should know of that CSV.

    Raises `LabelsError`.
    """
    if table is None:
        return Labels.of([first_level(path) for path in asked.paths], collection.labels, own), ()
    queries = [os.fsencode(os.path.abspath(asked.file(row))) for row in range(len(asked.paths))]
    points = [
        None if file is None else os.fsencode(os.path.abspath(file)) for file in collection.files
    ]
    paths = sorted({*queries, *filter(None, points)})
    found = read_labels(paths, [asked.folder, *roots.values()], table)
    by_path = {path: os.fsencode(label) for path, label in found.by_path.items()}
    labels = Labels.of(
        [by_path.get(path) for path in queries],
        [by_path.get(path) if path else None for path in points],
        own,
    )
    return labels, found.remarks
