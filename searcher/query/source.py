"""Where a query comes from: a file, an http(s) URL, or the id of an indexed image."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.errors import ImageRefused, QueryError
from shared.reading import Limits, Signature, read_file
from shared.settings import Settings
from shared.types import shown_path

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """One query image as it was given (valid Unicode), with its bytes or else a point's id.

    `path` and `file`: the canonical path of a file, and its state when it was read.
    """

    shown: str
    data: bytes | None = None
    point: str | None = None
    path: bytes | None = None
    file: Signature | None = None


def read_query(given: str, settings: Settings) -> Query:
    """Read a query: a URL is fetched, anything that exists is a file, else a UUID is a point id.

    Raises `QueryError` or `ImageRefused`; their messages do not repeat what was given.
    """
    raw = os.fsencode(given)
    shown = shown_path(raw)
    if re.match(r"https?://", given, re.IGNORECASE):
        from searcher.query.download import fetch

        data = fetch(
            given,
            max_bytes=settings.url_max_bytes,
            timeout_seconds=settings.url_timeout_seconds,
        )
        return Query(shown, data=data)
    if given and os.path.lexists(raw):
        return _file(raw, settings)
    if _UUID.fullmatch(given):
        return Query(shown, point=given.lower())
    if _SCHEME.match(given):
        raise QueryError("is a URL of a kind that is not fetched: use http:// or https://")
    raise QueryError("is no file, http(s) URL or id of an indexed image: check the spelling")


@contextlib.contextmanager
def naming(text: str, *, wanted: bool) -> Iterator[None]:
    """Errors about a query begin with how it was given, where that is `wanted`."""
    try:
        yield
    except (QueryError, ImageRefused) as error:
        if not wanted:
            raise
        raise type(error)(f"{text} {error}") from error


def joined(like: Sequence[str], unlike: Sequence[str]) -> str:
    """``a.jpg + b.jpg - c.jpg``: several examples as one text."""
    return " + ".join(like) + "".join(f" - {text}" for text in unlike)


def _file(raw: bytes, settings: Settings) -> Query:
    if os.path.isdir(raw):
        raise QueryError("is a folder: name the images in it")
    # Indexing follows no links; a link that is named here stands for what it points to.
    target = os.path.realpath(raw)
    data, signature = read_file(target, Limits(settings.max_pixels, settings.max_file_bytes))
    return Query(shown_path(raw), data=data, path=target, file=signature)
