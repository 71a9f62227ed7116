"""JPEGs of any size with the detail of real photographs: cut from mosaics, never enlarged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

QUALITY = 88
_SOURCES = 200
"""Photographs that are held in memory; more look no more different once they are cut."""


class Photographs:
    """The photographs below a folder, as a heap to lay mosaics from. Raises ValueError for none."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.rglob("*.jpg"))[
            :: max(1, len(list(folder.rglob("*.jpg"))) // _SOURCES)
        ]
        if not paths:
            raise ValueError(f"no .jpg lies below {folder}: name a folder of photographs")
        self._pictures = [Image.open(path).convert("RGB") for path in paths]

    def shrunk(self, folder: Path, count: int, edge: int) -> Path:
        """A folder of `count` different pictures of `edge` x `edge`, as small pictures come about:
        a part of a photograph, shrunk."""
        random = np.random.default_rng(0)
        for path in _missing(folder, count):
            picture = self._pictures[random.integers(len(self._pictures))]
            side = min(picture.size) * random.uniform(0.7, 1)
            left, top = (random.uniform(0, extent - side) for extent in picture.size)
            box = (left, top, left + side, top + side)
            small = picture.resize((edge, edge), Image.Resampling.LANCZOS, box)
            small.save(path, quality=QUALITY)
        return folder

    def cut(self, folder: Path, count: int, size: tuple[int, int]) -> Path:
        """A folder of `count` different pictures of `size`, each a mosaic of photographs as they
        are, beginning anywhere in the first of them."""
        random = np.random.default_rng(0)
        for path in _missing(folder, count):
            self._mosaic(size, random).save(path, quality=QUALITY)
        return folder

    def _mosaic(self, size: tuple[int, int], random: np.random.Generator) -> Image.Image:
        mosaic, top = Image.new("RGB", size), -int(random.integers(64))
        while top < size[1]:
            left, row = -int(random.integers(64)), self._row(random)
            height = min(picture.height for picture in row)
            place = 0
            while left < size[0]:
                picture = row[place % len(row)]
                mosaic.paste(picture, (left, top))
                left, place = left + picture.width, place + 1
            top += height
        return mosaic

    def _row(self, random: np.random.Generator) -> Sequence[Image.Image]:
        chosen = random.integers(len(self._pictures), size=16)
        return [self._pictures[number] for number in chosen]


def _missing(folder: Path, count: int) -> Iterator[Path]:
    """Where pictures are to be written, a hundred a folder; those of an earlier run are kept."""
    whole = folder.with_name(f"{folder.name}.count")  # not in it, where it would be refused
    if whole.exists() and whole.read_text() == str(count):
        return
    for number in range(count):
        path = folder / f"{number // 100:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    whole.write_text(str(count))
