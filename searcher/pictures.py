"""Small pictures of queries and results for the sheet and the page.

Pillow is loaded with the first picture that is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from searcher.query.source import Query
from shared.errors import ImageRefused
from shared.reading import Limits, read_file
from shared.types import ImageRecord, absolute_path

if TYPE_CHECKING:
    from PIL import Image

EDGE = 320
"""Pixels along the longer side of every thumbnail."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail with its name (valid Unicode); without an `image`, `note` says why."""

    name: str
    image: Image.Image | None
    note: str = ""
    path: str | None = None
    """Where the file lies, if that is known."""


@dataclass(frozen=True, slots=True)
class ExamplePicture:
    """An example of a query as a small picture. `is_negative`: results shall not look like it."""

    picture: Picture
    is_negative: bool = False


class Pictures(Protocol):
    """Where the small pictures of indexed images come from."""

    def of(self, record: ImageRecord | None) -> Picture:
        """An indexed image; one that is gone or damaged costs only its picture."""
        ...


@dataclass(frozen=True, slots=True)
class RootPictures:
    """Read from where the images lie on this machine. `roots`: the folder of every root id."""

    roots: Mapping[str, Path]
    limits: Limits

    def of(self, record: ImageRecord | None) -> Picture:
        """An indexed image; one that is gone or damaged costs only its picture."""
        return indexed_picture(record, self.roots, self.limits)


def located(roots: Mapping[str, Path], record: ImageRecord) -> str | None:
    """The absolute path of an indexed image; None when its root is unknown on this machine."""
    root = roots.get(record.root)
    return None if root is None else absolute_path(root, record)


def example_pictures(
    like: Sequence[Query],
    unlike: Sequence[Query],
    indexed: Callable[[str], Picture],
    limits: Limits,
) -> tuple[ExamplePicture, ...]:
    """Every example of a query as a small picture, the negative ones last.

    `indexed`: returns the picture of an indexed image by its id.
    """

    def picture(query: Query) -> Picture:
        return query_picture(query, limits) if query.point is None else indexed(query.point)

    return (
        *(ExamplePicture(picture(one)) for one in like),
        *(ExamplePicture(picture(one), is_negative=True) for one in unlike),
    )


def query_picture(query: Query, limits: Limits) -> Picture:
    """A query's own bytes as a small picture; where it cannot be decoded here, the reason."""
    from shared.images import thumbnail

    name = os.path.basename(query.shown) or query.shown
    try:
        return Picture(name, thumbnail(query.data or b"", EDGE, limits))
    except ImageRefused as error:
        return Picture(name, None, str(error))


def picture_name(path: str) -> str:
    """A path's name with its folder: cameras give the same few names to everything."""
    return "/".join(path.split("/")[-2:])


def indexed_picture(
    record: ImageRecord | None, roots: Mapping[str, Path], limits: Limits
) -> Picture:
    """An indexed image as a small picture, read from where it lies."""
    from shared.images import thumbnail

    if record is None:
        return Picture("", None, "unknown image")
    name, path = picture_name(record.path), located(roots, record)
    if path is None:
        return Picture(name, None, "root unknown here")
    if not os.path.isfile(path):
        return Picture(name, None, "no longer there", path)
    try:
        return Picture(name, thumbnail(read_file(path, limits)[0], EDGE, limits), path=path)
    except ImageRefused as error:
        return Picture(name, None, str(error), path)
