"""Small pictures of queries and results for the sheet and the page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from searcher.answer import Answer
from searcher.query import Query
from shared.errors import ImageRefused
from shared.images import thumbnail
from shared.reading import Limits, read_file
from shared.types import ImageRecord, ScoredImage, absolute_path

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
class Asked:
    """One query as it was given (valid Unicode), its answer, and its picture if that is drawn.

    By result id, for results that are explained: `heats` is the picture with its heat map over it,
    `explained` a line of text, `told` the same and more as JSON values.
    """

    shown: str
    answer: Answer
    picture: Picture | None = None
    heats: Mapping[str, Image.Image] = field(default_factory=dict)
    explained: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def located(roots: Mapping[str, Path], record: ImageRecord) -> str | None:
    """The absolute path of an indexed image; None when its root is unknown on this machine."""
    root = roots.get(record.root)
    return None if root is None else absolute_path(root, record)


def query_picture(query: Query, limits: Limits) -> Picture | None:
    """The query as a small picture; None when it was asked by id. Raises `ImageRefused`."""
    if query.data is None:
        return None
    name = os.path.basename(query.shown) or query.shown
    return Picture(name, thumbnail(query.data, EDGE, limits))


def result_picture(result: ScoredImage, roots: Mapping[str, Path], limits: Limits) -> Picture:
    """A result as a small picture; a file that is gone or damaged costs only its picture."""
    return indexed_picture(result.record, roots, limits)


def indexed_picture(
    record: ImageRecord | None, roots: Mapping[str, Path], limits: Limits
) -> Picture:
    """An indexed image as a small picture, read from where it lies."""
    if record is None:
        return Picture("", None, "unknown image")
    # With its folder: cameras give the same few names to everything.
    name, path = "/".join(record.path.split("/")[-2:]), located(roots, record)
    if path is None:
        return Picture(name, None, "root unknown here")
    if not os.path.isfile(path):
        return Picture(name, None, "no longer there", path)
    try:
        return Picture(name, thumbnail(read_file(path, limits)[0], EDGE, limits), path=path)
    except ImageRefused as error:
        return Picture(name, None, str(error), path)
