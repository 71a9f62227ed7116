"""Small pictures of queries and results for the sheet and the page.

Pillow is loaded with the first picture that is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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
    """A query image as it is drawn; results shall not look like a negative one."""

    picture: Picture
    is_negative: bool = False

    @property
    def alt(self) -> str:
        """What it is, where the picture is not seen."""
        return f"{'not like' if self.is_negative else 'query'}: {self.picture.name}"


def examples_title(examples: Sequence[ExamplePicture]) -> str:
    """``Images that look like a.jpg, not b.jpg``, or ``like 3 images, not like 2``."""
    like = [one.picture.name for one in examples if not one.is_negative]
    unlike = [one.picture.name for one in examples if one.is_negative]
    if len(examples) > 2:
        others = f", not like {len(unlike)}" if unlike else ""
        return f"Images that look like {len(like)} image{'s' * (len(like) > 1)}{others}"
    return f"Images that look like {' and '.join(like)}" + "".join(f", not {one}" for one in unlike)


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


def query_picture(query: Query, limits: Limits) -> Picture | None:
    """The query as a small picture; None when it was asked by id. Raises `ImageRefused`."""
    from shared.images import thumbnail

    if query.data is None:
        return None
    name = os.path.basename(query.shown) or query.shown
    return Picture(name, thumbnail(query.data, EDGE, limits))


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
