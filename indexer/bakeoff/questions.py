"""What an encoder is asked, and the figures of its answers, one for every query.

With labels: do the nearest pictures share the query's label. Without: is a picture found by its
altered copies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.bakeoff.album import BATCH, Album
from indexer.bakeoff.copies import ALTERATIONS, altered
from shared.errors import ImageRefused, TrainingError
from shared.evaluation import average_precision_at, precision_at_k
from shared.floors import Rows, ranked
from shared.images import pixels
from shared.reading import read_file
from shared.types import Pixels, PixelSpec

K, DEPTH = 10, 100
PRECISION, AVERAGE_PRECISION, RECALL = f"p_at_{K}", f"map_at_{DEPTH}", "recall_at_1"

MOST_COPIED = 200
"""Pictures whose copies are asked with: 800 queries give shares to within three hundredths."""

Scores: TypeAlias = Mapping[str, NDArray[np.float64]]
"""Figures by name, the one that decides first; each float64 (n,) in [0, 1], one per query."""


class Embed(Protocol):
    """Pixels of the geometry `spec` to vectors whose inner products rank them; a row of zeros is a
    picture without a vector."""

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels."""
        ...

    def __call__(self, pixels: Pixels, /) -> Rows:
        """uint8 (n, size, size, 3) to float32 (n, d)."""
        ...


class Questions(Protocol):
    """One protocol, the same for every encoder and floor."""

    @property
    def count(self) -> int:
        """Entries of each array in the scores."""
        ...

    @property
    def pictures(self) -> int:
        """Pictures that one asking encodes."""
        ...

    def ask(self, embed: Embed) -> Scores:
        """Raises `TrainingError` when a picture cannot be read any more."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LabelQuestions:
    """P@10 and mAP@100 of pictures that look for others of their label.

    `codes` int64 (n,): a number per label, -1 for none. `points` and `queries`: rows of the
    collection and of the pictures asked with, which are left out of their own answers. Only queries
    count whose label another point has (`counting`).
    """

    album: Album
    codes: NDArray[np.int64]
    points: NDArray[np.int64]
    queries: NDArray[np.int64]

    @property
    def counting(self) -> NDArray[np.int64]:
        """The rows of those queries that can be answered right."""
        sizes = np.bincount(self.codes[self.points] + 1, minlength=self.codes.max(initial=0) + 2)
        others = sizes[self.codes + 1] - np.isin(np.arange(len(self.codes)), self.points)
        return self.queries[(self.codes[self.queries] >= 0) & (others[self.queries] > 0)]

    @property
    def count(self) -> int:
        """See `Questions.count`."""
        return len(self.counting)

    @property
    def pictures(self) -> int:
        """See `Questions.pictures`."""
        return len(self.album)

    def ask(self, embed: Embed) -> Scores:
        """See `Questions.ask`."""
        rows = np.concatenate([embed(chunk) for chunk in self.album.chunks(embed.spec)])
        return self.scores(rows)

    def scores(self, rows: Rows) -> Scores:
        """The scores of vectors float32 (n, d), one for every picture of the album."""
        asked = self.counting
        place = np.full(len(self.codes), -1, np.int64)
        place[self.points] = np.arange(len(self.points))
        answers = ranked(rows[asked], rows[self.points], place[asked], DEPTH)
        relevant = [
            (self.codes[self.points[answer]] == self.codes[query]) & rows[query].any()
            for query, answer in zip(asked, answers, strict=True)
        ]
        return {
            PRECISION: np.array([precision_at_k(one, K) for one in relevant]),
            AVERAGE_PRECISION: np.array([average_precision_at(one, DEPTH) for one in relevant]),
        }


@dataclass(frozen=True, slots=True, eq=False)
class CopyQuestions:
    """Recall@1 of pictures that are looked for with their altered copies among all originals.

    `chosen`: rows of the album. `copies`: JPEG files by alteration, parallel to `chosen`. An answer
    is right if it is the original or a file of the same bytes; an answer that is only as near as
    another picture is wrong, so that an encoder that sees no difference finds nothing.
    """

    album: Album
    chosen: NDArray[np.int64]
    copies: Mapping[str, Sequence[bytes]]

    @classmethod
    def draw(cls, album: Album, rows: NDArray[np.int64], seed: int) -> CopyQuestions:
        """Copies of up to `MOST_COPIED` pictures among `rows`, all drawn from `seed`."""
        random = np.random.default_rng(seed)
        chosen = np.sort(random.permutation(rows)[:MOST_COPIED])
        made = [_copies(album, int(row), seed) for row in chosen]
        return cls(album, chosen, {name: [one[name] for one in made] for name in ALTERATIONS})

    @property
    def count(self) -> int:
        """See `Questions.count`."""
        return len(self.chosen)

    @property
    def pictures(self) -> int:
        """See `Questions.pictures`."""
        return len(self.album) + len(self.chosen) * len(self.copies)

    def ask(self, embed: Embed) -> Scores:
        """See `Questions.ask`."""
        points = np.concatenate([embed(chunk) for chunk in self.album.chunks(embed.spec)])
        return self.scores(
            points, {name: self._embedded(files, embed) for name, files in self.copies.items()}
        )

    def scores(self, points: Rows, copies: Mapping[str, Rows]) -> Scores:
        """The scores of the originals' vectors and those of the copies; an entry is a picture."""
        _, content = np.unique(np.array(self.album.hashes), return_inverse=True)
        same = content[self.chosen, None] == content
        hits = {}
        for name, queries in copies.items():
            cosines = queries @ points.T
            own = np.where(same, cosines, -np.inf).max(axis=1)
            other = np.where(same, -np.inf, cosines).max(axis=1, initial=-np.inf)
            hits[name] = (own > other).astype(np.float64)
        return {RECALL: np.mean(list(hits.values()), axis=0), **hits}

    def _embedded(self, files: Sequence[bytes], embed: Embed) -> Rows:
        return np.concatenate(
            [
                embed(np.stack([pixels(file, embed.spec, self.album.limits) for file in some]))
                for some in (files[at : at + BATCH] for at in range(0, len(files), BATCH))
            ]
        )


def _copies(album: Album, row: int, seed: int) -> dict[str, bytes]:
    """A picture's copies depend on its content and the seed, not on what else is in the folder."""
    random = np.random.default_rng((seed, int(album.hashes[row][:16], 16)))
    try:
        return altered(read_file(album.paths[row], album.limits)[0], random, album.limits)
    except ImageRefused as error:
        path = os.fsdecode(album.paths[row])
        raise TrainingError(f"{path} has changed ({error}): compare again") from error
